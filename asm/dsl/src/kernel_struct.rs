//! How types of the kernel are declared: [`kernel_struct!`](crate::kernel_struct!) and
//! [`kernel_enum!`](crate::kernel_enum!).

use crate::recording;

/// A type of the kernel, as far as a program declares it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type of the kernel",
    note = "declare what you need of it with `kernel_struct!` or `kernel_enum!`"
)]
pub trait OfKernel: Sized + 'static {
    /// The declaration.
    #[doc(hidden)]
    fn kernel_type() -> recording::KernelType;
}

/// An enum of the kernel: what [`kernel_enum!`](crate::kernel_enum!) declares.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no enumerator of the kernel",
    note = "declare the enum with `kernel_enum!`, and name one of its enumerators"
)]
pub trait KernelEnum: OfKernel + Copy {
    /// The enumerator's place in the declaration.
    #[doc(hidden)]
    fn index(self) -> u32;
}

/// Declares what a program needs of a struct or union of the kernel, by the kernel's names.
///
/// Order and offsets mean nothing, and fields that are not needed are left out: where a field
/// is, and how large, is asked of the kernel that the program runs on (CO-RE). A field is
///
/// - a number, `u8` to `u64` or `i8` to `i64`, read in the size that it has in the kernel.
///   Larger ones are cut to the type declared, smaller ones extended with zeros. A signed one
///   is read as an unsigned number of the same bits, which has methods such as `slt`;
/// - a number in network order, [`Be16`](crate::Be16) or [`Be32`](crate::Be32);
/// - a bit field, `Bitfield<u32>`: or any number, extended by the sign of the type named;
/// - so many bytes, `[u8; 16]`;
/// - a pointer, `*const task_struct`; to what is not declared, `*const u8`;
/// - a struct, union or enum, declared here too. What has no name in C gets any.
///
/// What it declares is named where a [`KernelPtr`](crate::KernelPtr) points, whose fields are
/// read by methods of their names.
///
/// ```
/// use ebpf_dsl::prelude::*;
///
/// kernel_struct! {
///     /// A thread.
///     pub struct task_struct {
///         /// Its process.
///         tgid: i32,
///         /// Its name.
///         comm: [u8; 16],
///         /// Who started it.
///         real_parent: *const task_struct,
///     }
/// }
///
/// let mut unit = Unit::new("parents").license("GPL");
/// let switches = unit.hash::<u32, u64>("switches", 1024);
/// let unit = unit.raw_tracepoint("parents", "sched_switch", |f, ctx| {
///     let next = ctx.arg::<*const task_struct>(2);
///     let parent = next.real_parent().tgid();
///     f.lookup(switches, parent)
///         .then(|_, count| count.atomic_add(1))
///         .else_(|f| {
///             f.update(switches, parent, 1, BPF_NOEXIST);
///         });
/// });
/// assert_eq!(unit.check(), Ok(()));
/// ```
///
/// A *flavour* is a second declaration of one type, for kernels where it is another: what
/// follows `___` is no part of the kernel's name.
///
/// ```
/// # use ebpf_dsl::prelude::*;
/// kernel_struct! {
///     /// A thread, since Linux 5.14.
///     struct task_struct { __state: u32 }
/// }
///
/// kernel_struct! {
///     /// A thread, before.
///     struct task_struct___old { state: i64 }
/// }
///
/// fn state<'p>(f: &mut Scope<'p, u32>, task: KernelPtr<'p, task_struct>) -> U32<'p> {
///     let new = f.core_field_exists::<task_struct>().__state();
///     f.if_(new).then(|f| f.return_(task.__state()));
///     KernelPtr::cast::<task_struct___old>(task).state().to_u32()
/// }
/// # let unit = Unit::new("state").license("GPL").raw_tracepoint("s", "sched_switch", |f, ctx| {
/// #     let _ = f.inlined(|f| state(f, ctx.arg::<*const task_struct>(1)));
/// # });
/// # assert_eq!(unit.check(), Ok(()));
/// ```
#[macro_export]
macro_rules! kernel_struct {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident : $ty:ty),+ $(,)?
        }
    ) => {
        $crate::kernel_struct! {
            @structure Struct $(#[$meta])* [$vis] $name { $($(#[$field_meta])* $field: $ty,)+ }
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis union $name:ident {
            $($(#[$field_meta:meta])* $field:ident : $ty:ty),+ $(,)?
        }
    ) => {
        $crate::kernel_struct! {
            @union Union $(#[$meta])* [$vis] $name { $($(#[$field_meta])* $field: $ty,)+ }
        }
    };
    (
        @$shape:ident $pointee:ident
        $(#[$meta:meta])*
        [$vis:vis] $name:ident {
            $($(#[$field_meta:meta])* $field:ident : $ty:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug)]
        $vis enum $name {}

        const _: () = {
            use $crate::private::{
                CorePlace, FieldQuestion, KernelAddress, KernelField, KernelMember, KernelPtr,
                KernelStruct, KernelType, MemberType, OfKernel, PointedTo, Pointee,
            };

            #[allow(non_camel_case_types, dead_code)]
            enum Index {
                $($field,)+
            }

            /// The fields, in the kernel's memory.
            #[derive(Clone, Copy, Debug)]
            pub struct Fields<'p>(KernelAddress<'p>);

            #[allow(non_snake_case, dead_code)]
            impl<'p> Fields<'p> {
                $(
                    $(#[$field_meta])*
                    #[track_caller]
                    pub fn $field(self) -> <$ty as KernelField>::Read<'p> {
                        <$ty as KernelField>::read(self.0.member(Index::$field as u32))
                    }
                )+
            }

            /// The fields, as something is asked about one of them.
            #[derive(Clone, Copy, Debug)]
            pub struct Asked<'p, Q>(CorePlace<'p>, ::core::marker::PhantomData<fn() -> Q>);

            #[allow(non_snake_case, dead_code)]
            impl<'p, Q: FieldQuestion> Asked<'p, Q> {
                $(
                    $(#[$field_meta])*
                    #[track_caller]
                    pub fn $field(self) -> Q::Answer<'p> {
                        Q::ask(self.0.member(Index::$field as u32))
                    }
                )+
            }

            impl OfKernel for $name {
                fn kernel_type() -> KernelType {
                    let members = ::std::vec![
                        $(KernelMember::new(
                            ::core::stringify!($field),
                            <$ty as KernelField>::member(),
                        ),)+
                    ];
                    KernelType::$shape(::core::stringify!($name), members)
                }
            }

            impl PointedTo for $name {
                type Fields<'p> = Fields<'p>;
                const TYPE: ::core::option::Option<fn() -> KernelType> =
                    ::core::option::Option::Some(<$name as OfKernel>::kernel_type);

                fn pointee() -> Pointee {
                    Pointee::$pointee(::std::string::String::from(::core::stringify!($name)))
                }

                fn fields(at: KernelAddress<'_>) -> Fields<'_> {
                    Fields(at)
                }
            }

            impl KernelStruct for $name {
                type Asked<'p, Q: FieldQuestion> = Asked<'p, Q>;
                const NAME: &'static str = ::core::stringify!($name);

                fn asked<Q: FieldQuestion>(place: CorePlace<'_>) -> Asked<'_, Q> {
                    Asked(place, ::core::marker::PhantomData)
                }
            }

            impl KernelField for $name {
                type Read<'p> = KernelPtr<'p, $name>;

                fn member() -> MemberType {
                    MemberType::Kernel(<$name as OfKernel>::kernel_type())
                }

                fn read(at: KernelAddress<'_>) -> KernelPtr<'_, $name> {
                    KernelPtr::new(at)
                }
            }
        };
    };
}

/// Declares what a program needs of an enum of the kernel: the names of enumerators, whose
/// values are the running kernel's.
///
/// ```
/// use ebpf_dsl::prelude::*;
///
/// kernel_enum! {
///     /// What a number names.
///     pub enum pid_type {
///         /// A process.
///         PIDTYPE_TGID,
///         /// A process group.
///         PIDTYPE_PGID,
///     }
/// }
///
/// let mut unit = Unit::new("groups").license("GPL");
/// let seen = unit.array::<u64>("seen", 1);
/// let unit = unit.raw_tracepoint("groups", "sched_switch", |f, _| {
///     let has_groups = f.core_enum_value_exists(pid_type::PIDTYPE_PGID);
///     f.return_if(!has_groups, ());
///     let group = f.core_enum_value(pid_type::PIDTYPE_PGID);
///     f.lookup(seen, 0).then(|_, seen| seen.set(group));
/// });
/// assert_eq!(unit.check(), Ok(()));
/// ```
#[macro_export]
macro_rules! kernel_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$enumerator_meta:meta])* $enumerator:ident),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[allow(non_camel_case_types, dead_code)]
        #[derive(Clone, Copy, Debug)]
        $vis enum $name {
            $($(#[$enumerator_meta])* $enumerator,)+
        }

        const _: () = {
            use $crate::private::{
                KernelAddress, KernelEnum, KernelField, KernelType, MemberType, OfKernel,
            };

            impl OfKernel for $name {
                fn kernel_type() -> KernelType {
                    let enumerators = [$(::core::stringify!($enumerator)),+];
                    KernelType::enumeration(::core::stringify!($name), &enumerators)
                }
            }

            impl KernelEnum for $name {
                fn index(self) -> u32 {
                    self as u32
                }
            }

            impl KernelField for $name {
                type Read<'p> = <u32 as KernelField>::Read<'p>;

                fn member() -> MemberType {
                    MemberType::Kernel(<$name as OfKernel>::kernel_type())
                }

                #[track_caller]
                fn read(at: KernelAddress<'_>) -> Self::Read<'_> {
                    <u32 as KernelField>::read(at)
                }
            }
        };
    };
}
