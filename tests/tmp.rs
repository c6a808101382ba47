use runbook::base::source::Source;
#[test]
fn shipped() {
    for path in std::fs::read_dir("runbooks/crm")
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .chain([
            std::path::PathBuf::from("/tmp/bad.yaml"),
            "/tmp/bad2.yaml".into(),
        ])
    {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let source = Source::new(path.display().to_string(), text);
        match runbook::runbook::check::check(&source, &|_| None) {
            Ok(p) => {
                println!(
                    "OK {} {:?} {} warnings",
                    p.runbook.name,
                    p.runbook.risk,
                    p.warnings.len()
                );
                for w in p.warnings {
                    println!("{}", w.render(&source, false));
                }
            }
            Err(errors) => {
                for e in errors {
                    println!("{}", e.render(&source, false));
                }
            }
        }
    }
}
