// Every kind of type that BTF has, and every shape that C gives them: what is read of it is
// printed as C and compiled again (tests/tests/witness/btf.rs).

#define SEC(name) __attribute__((section(name), used))
#define TAG(text) __attribute__((btf_type_tag(text)))
#define DECL(text) __attribute__((btf_decl_tag(text)))
#define AT(access) (*(typeof(access) *)__builtin_preserve_access_index(&(access)))

typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool flag;

struct forward;
union forward_union;

enum small { SMALL_A, SMALL_B = 200 } __attribute__((packed));
enum medium { MEDIUM_A = 40000 } __attribute__((mode(HI)));
enum negative { NEGATIVE_A = -1, NEGATIVE_B = 7 };
enum unsigned_big { UNSIGNED_A = 0xffffffffU, UNSIGNED_B = 1 };
enum { ANONYMOUS_A = 3, ANONYMOUS_B };

typedef int (*callback)(struct forward *, u32 (*)[3], ...);
typedef struct { int a; } of_no_name;
typedef u32 matrix[2][3];

struct bits {
	int a : 3;
	u32 b : 5, : 7, c : 20;
	u64 d : 40;
	flag e : 1;
	enum small f : 4;
	unsigned char g;
	u32 : 0;
	u32 h : 32;
};

struct __attribute__((packed)) tight {
	char a;
	u64 b;
	u32 c : 7;
	u32 d : 30;
	struct { char x; int y; } inner;
};

struct half_tight {
	char a;
	struct tight b;
	int c;
	u64 d __attribute__((packed));
};

struct spread {
	char a;
	int b __attribute__((aligned(64)));
	char c[3];
} __attribute__((aligned(128)));

struct far_apart {
	char a;
	char b __attribute__((aligned(4096)));
};

union choice {
	char a[5];
	u32 b;
	struct { u32 x : 4, y : 28; };
	union { u64 c; double d; } inner;
	const struct { short p, q; };
};

union wide {
	char a;
} __attribute__((aligned(32)));

struct node {
	struct node *next;
	const struct node *const *volatile others;
	struct { struct node *up; union { int up_a; char up_b; }; } tree[2];
	int (*functions[4])(const char *, int (*)(void), matrix *);
	int (*(*returns)(int))(char);
	callback call;
	of_no_name value;
	union forward_union *forward;
	char *restrict text;
	float f;
	__int128 huge;
	matrix m;
	u32 zero[0];
	int TAG("user") *user;
	int TAG("a") *TAG("b") *both;
	int flexible[];
};

struct tagged {
	int a;
	int b DECL("member");
} DECL("type");
typedef int tagged_int DECL("typedef");

// Two of each name.
typedef struct { int one; } same;
struct same { same two; enum { SAME_A, SAME_B } kind; };

struct bits bits;
struct tight tight;
struct half_tight half_tight;
struct spread spread;
struct far_apart far_apart;
union choice choice;
union wide wide;
struct tagged tagged;
tagged_int tagged_int_value;
struct same same_value;
enum small small;
enum medium medium;
enum negative negative;
enum unsigned_big unsigned_big;
int anonymous = ANONYMOUS_B;
static volatile const int constant = 5;
extern int external __attribute__((section(".ksyms")));

static __attribute__((noinline)) int callee(struct node *node DECL("parameter"))
{
	return constant + external + (int)(long)AT(node->next);
}

SEC("raw_tp/types") int types(struct node *node)
{
	return callee(node) + AT(node->value.a) + anonymous;
}

char _license[] SEC("license") = "GPL";
