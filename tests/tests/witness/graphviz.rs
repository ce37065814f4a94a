//! Graphviz draws what `ebpfasm cfg --format dot` prints.

use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, commands, ensure, tool};
use libtest_mimic::Trial;

use crate::{SUBJECTS, save};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |(name, subject): (&'static str, fn() -> Outcome<_>)| {
        let draws = move || draws(&subject()?);
        policy::trial(
            format!("graphviz::draws_{name}"),
            &[Need::Tool("dot")],
            draws,
        )
    };
    SUBJECTS.into_iter().map(trial).collect()
}

fn draws(subject: &ebpf_tests::subjects::Subject) -> Outcome {
    let folder = tempfile::tempdir()?;
    let object = save(&subject.object, folder.path())?;
    let mut cfg = commands::ebpfasm()?;
    let dot = tool::output(cfg.args(["cfg", "--format", "dot"]).arg(object))?;
    let path = folder.path().join("cfg.dot");
    std::fs::write(&path, &dot)?;
    let svg = tool::output(tool::command("dot").arg("-Tsvg").arg(path))?;
    let (nodes, edges) = (
        dot.matches("label=\"b").count(),
        dot.matches(" -> ").count(),
    );
    let drawn = |class: &str| svg.matches(&format!("class=\"{class}\"")).count();
    ensure!(
        (drawn("node"), drawn("edge")) == (nodes, edges) && nodes > 0,
        "{nodes} nodes and {edges} edges, drawn as {} and {}:\n{svg}",
        drawn("node"),
        drawn("edge")
    );
    Ok(())
}
