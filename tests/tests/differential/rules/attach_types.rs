//! Attach types: every type of programs with every one, known and not, and with results that not all
//! may have, as rows of a batch.

use std::collections::BTreeMap;
use std::fs;

use ebpf_asm::load_flags::BPF_F_SLEEPABLE;
use ebpf_asm::prog_type::ProgType;
use ebpf_tests::{Failed, Outcome, commands, ensure, ensure_eq, tool};
use serde_json::{Value, json};

/// Numbers that no type has, around those that fields could be cut to.
const HUGE: [u32; 9] = [
    100,
    255,
    256,
    4096,
    65536,
    i32::MAX as u32,
    1 << 31,
    u32::MAX - 1,
    u32::MAX,
];

/// One of so many rows may get no verdict from the kernel: one that is locked down denies everybody
/// some types of programs.
const DENIED: usize = 10;

pub(crate) fn agree() -> Outcome {
    let folder = tempfile::tempdir()?;
    let rows = folder.path().join("rows.jsonl");
    let asked: Vec<Value> = rows_of_all().collect();
    let lines: Vec<String> = asked.iter().map(Value::to_string).collect();
    fs::write(&rows, lines.join("\n"))?;
    let mut command = commands::ebpfasm()?;
    let answers = tool::output(
        command
            .args(["check", "--kernel-too", "--batch"])
            .arg(&rows),
    )?;
    let mut compared = BTreeMap::<String, usize>::new();
    let answers: Vec<Value> = answers
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure_eq!(answers.len(), asked.len(), "a line for each row");
    for (row, answer) in asked.iter().zip(&answers) {
        let kernel = answer["kernel"]["verdict"].as_str();
        let kernel = kernel.ok_or_else(|| Failed::from("the kernel was not asked"))?;
        if kernel != "unsupported" {
            ensure_eq!(answer["verdict"], kernel, "{row}: {answer}");
        }
        *compared.entry(kernel.to_owned()).or_default() += 1;
    }
    println!("attach types, by the kernel's verdicts: {compared:?}");
    let of = |verdict: &str| compared.get(verdict).copied().unwrap_or(0);
    ensure!(
        of("unsupported") * DENIED < answers.len(),
        "the kernel gives too few verdicts: {compared:?}"
    );
    for verdict in ["accept", "reject"] {
        ensure!(of(verdict) > 1000, "too few of {verdict}: {compared:?}");
    }
    Ok(())
}

/// All but programs for infrared receivers, which few kernels have.
fn rows_of_all() -> impl Iterator<Item = Value> {
    let types = (0..=40).chain(HUGE);
    let types = types.filter(|&number| number != ProgType::LircMode2.number());
    types.flat_map(|prog_type| {
        let attach_types = (0..=70).chain(HUGE);
        attach_types.flat_map(move |attach_type| {
            (0..3).map(move |result| row(prog_type, attach_type, result))
        })
    })
}

/// A program that returns a result; one for system calls may sleep, as it must.
fn row(prog_type: u32, attach_type: u32, result: u8) -> Value {
    let sleeps = prog_type == ProgType::Syscall.number();
    json!({
        "prog_type": prog_type,
        "expected_attach_type": attach_type,
        "prog_flags": if sleeps { BPF_F_SLEEPABLE } else { 0 },
        "license": "GPL",
        "insns": format!("b7000000{result:02x}0000009500000000000000"),
    })
}
