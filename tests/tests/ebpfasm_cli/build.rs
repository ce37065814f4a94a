//! `build`: what it writes, where, and that it is never older than its source.

use ebpf_asm::object;

use super::{Place, entries, program, verdict_file};

/// The bytes that a program of `programs/` has when it is compiled in this process.
fn in_process() -> Vec<u8> {
    let object = ebpf_asm::compile(&ebpf_programs::drop_icmp::unit()).expect("it compiles");
    object::write(&object).expect("it can be written")
}

#[test]
fn a_file_outside_any_workspace_builds_with_an_empty_cache() {
    let place = Place::new();
    place.write("drop_icmp.rs", &program("drop_icmp.rs"));
    let first = place.run(&["build", "drop_icmp.rs"]).code(0);
    assert_eq!(first.stdout.lines().count(), 1, "{first:?}");
    assert!(
        first
            .stdout
            .starts_with("target/bpf/drop_icmp.o: xdp_drop_icmp (xdp, ")
    );
    assert!(first.stdout.ends_with(" instructions), verified\n"));
    assert_eq!(place.read("target/bpf/drop_icmp.o"), in_process());
    assert_eq!(entries(&place.work().join("target/bpf")), ["drop_icmp.o"]);
    let again = place.run(&["build", "drop_icmp.rs"]).code(0);
    assert_eq!((again.stdout, again.stderr), (first.stdout, String::new()));
}

#[test]
fn the_bytes_are_the_same_from_every_folder() {
    let place = Place::new();
    place.write("a/programs/drop_icmp.rs", &program("drop_icmp.rs"));
    let absolute = place.work().join("a/programs/drop_icmp.rs");
    for (folder, path) in [
        ("", "a/programs/drop_icmp.rs"),
        ("a", "programs/drop_icmp.rs"),
        ("a/programs", "drop_icmp.rs"),
        ("a/programs", "../programs/./drop_icmp.rs"),
        ("a", absolute.to_str().expect("a readable path")),
    ] {
        let mut command = place.command(&["build", path, "-o", "out.o"]);
        command.current_dir(place.work().join(folder));
        super::ended(&mut command).code(0);
        assert_eq!(
            place.read(format!("{folder}/out.o").trim_start_matches('/')),
            in_process(),
            "{path} from '{folder}'"
        );
    }
}

#[test]
fn objects_go_to_the_workspace_that_one_works_in() {
    let place = Place::new();
    place.write("Cargo.toml", "[workspace]\nmembers = [\"p\"]\n");
    place.write("p/Cargo.toml", "[package]\nname = \"p\"\n");
    place.write("p/src/x.rs", &verdict_file("x.rs", "XDP_DROP"));
    let mut command = place.command(&["build", "src/x.rs"]);
    command.current_dir(place.work().join("p"));
    super::ended(&mut command).code(0);
    assert!(place.work().join("target/bpf/x.o").is_file());
    assert!(!place.work().join("p/target").exists());
}

#[test]
fn every_change_of_the_file_reaches_the_object() {
    let place = Place::new();
    let actions = ["XDP_PASS", "XDP_DROP", "XDP_TX"];
    let mut objects = Vec::new();
    // Saved and built at once, again and again: times of files must not be relied on.
    for round in 0..9 {
        place.write("x.rs", &verdict_file("x.rs", actions[round % 3]));
        place.run(&["build", "x.rs"]).code(0);
        objects.push(place.read("target/bpf/x.o"));
    }
    for round in 3..9 {
        assert_eq!(objects[round], objects[round - 3]);
        assert_ne!(objects[round], objects[round - 1]);
    }
}

#[test]
fn modules_included_files_and_variables_count_as_the_file() {
    let place = Place::new();
    place.write(
        "x.rs",
        "use ebpf_dsl::prelude::*;\n\
         mod part;\n\
         const LIMIT: &str = include_str!(\"limit.txt\");\n\
         const NAMED: &str = match option_env!(\"EBPF_TEST_NAME\") { Some(n) => n, None => \"none\" };\n\
         pub fn unit() -> Unit {\n    \
             let name = format!(\"f_{}_{}_{NAMED}\", part::PART, LIMIT.trim());\n    \
             unit!(\"x.rs\").license(\"GPL\").xdp(&name, |_, _| XDP_PASS)\n\
         }\n\
         pub fn main() -> ExitCode { emit(unit()) }\n",
    );
    place.write("part.rs", "pub const PART: &str = \"a\";\n");
    place.write("limit.txt", "1\n");
    let named = |variable: Option<&str>| {
        let mut command = place.command(&["build", "x.rs"]);
        match variable {
            Some(value) => command.env("EBPF_TEST_NAME", value),
            None => command.env_remove("EBPF_TEST_NAME"),
        };
        let ended = super::ended(&mut command).code(0);
        let (_, rest) = ended.stdout.split_once(": ").expect("a program is named");
        rest.split(' ').next().expect("its name").to_owned()
    };
    assert_eq!(named(None), "f_a_1_none");
    place.write("part.rs", "pub const PART: &str = \"b\";\n");
    assert_eq!(named(None), "f_b_1_none");
    place.write("limit.txt", "2\n");
    assert_eq!(named(None), "f_b_2_none");
    assert_eq!(named(Some("x")), "f_b_2_x");
    assert_eq!(named(None), "f_b_2_none");
}

#[test]
fn what_the_file_does_when_it_runs_happens_each_time() {
    let place = Place::new();
    place.write(
        "x.rs",
        "use ebpf_dsl::prelude::*;\n\
         pub fn main() -> ExitCode {\n    \
             println!(\"from the file\");\n    \
             let name = std::fs::read_to_string(\"name.txt\").expect(\"a name\");\n    \
             emit(unit!(\"x.rs\").license(\"GPL\").xdp(name.trim(), |_, _| XDP_PASS))\n\
         }\n",
    );
    for name in ["one", "two"] {
        place.write("name.txt", name);
        let ended = place.run(&["build", "x.rs"]).code(0).says("from the file");
        assert!(
            ended.stdout.contains(&format!(": {name} (xdp")),
            "{ended:?}"
        );
        assert!(
            !ended.stdout.contains("from the file"),
            "stdout is for data"
        );
    }
}

#[test]
fn odd_names_of_files_are_no_trouble() {
    let place = Place::new();
    for name in ["-dash.rs", "two words.rs", "1.rs", "größe.rs", "a.b.rs"] {
        place.write(name, &verdict_file(name, "XDP_PASS"));
        place.run(&["build", "-o", "x.o", "--", name]).code(0);
        place.run(&["build", "-o", "x.o", "--", name]).code(0);
    }
}

/// What the compiler says of a header without its check, and of the DSL: the lines that it quotes are
/// there.
#[test]
fn messages_of_the_compiler_quote_the_dsl() {
    let place = Place::new();
    let body = |text: &str| {
        verdict_file("x.rs", "{ BODY }")
            .replace("|_, _|", "|f, ctx|")
            .replace("BODY", &format!("{text} XDP_PASS"))
    };
    place.write(
        "x.rs",
        &body("let eth = f.header::<ethhdr>(ctx.packet()); f.return_if(eth.h_proto().eq(ETH_P_IP), XDP_DROP);"),
    );
    place
        .run(&["build", "x.rs"])
        .code(8)
        .says("the header is read before its bounds check")
        .says("add `.or_return(...)` or `.then(...)` where the header is made");
    place.write(
        "x.rs",
        &body("let index = ctx.rx_queue_index(); f.return_if(index.eq(1u8), XDP_DROP);"),
    );
    let ended = place.run(&["build", "x.rs"]).code(8);
    let quoted = ended.stderr.lines().filter_map(|line| {
        let (path, _) = line.split_once("--> ")?.1.split_once(".rs:")?;
        Some(format!("{path}.rs"))
    });
    let quoted: Vec<String> = quoted.collect();
    assert!(quoted.iter().any(|path| path.contains("dsl")), "{ended:?}");
    for path in quoted {
        assert!(place.work().join(&path).is_file(), "{path} is not there");
    }
}
