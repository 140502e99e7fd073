//! A Parse without a name of what the server connection keeps: what is sent for it, and what is sent once more.

use super::bench::{Bench, summary};
use super::{message, sends};

#[test]
fn what_is_met_again_without_a_name_is_not_parsed() {
    let mut bench = Bench::shared(1);
    for (script, sent) in [
        (&["P - ok 1", "B - -", "DP -", "E - 0", "S"][..], "P B D E S"),
        // Met again: prepared for whoever needs it, and there from then on.
        (&["P - ok 1", "B - -", "DP -", "E - 0", "S"], "C P B D E S"),
        (&["P - ok 1", "B - -", "DP -", "E - 0", "S"], "B D E S"),
        (&["P - ok 1", "DS -", "S"], "P D S"),
        (&["B - -", "E - 0", "S"], "B E S"),
        (&["P - ok 1", "S", "B - -", "E - 0", "S"], "S P B D E S"),
        // There, it is the unnamed one, and the kept one is there too.
        (&["B - -", "E - 0", "S"], "B E S"),
        (&["Q begin"], "Q"),
        (&["P - ok 1", "B - -", "E - 0", "S"], "B D E S"),
        (&["Q rollback"], "Q"),
        // In the middle of a unit each text is parsed.
        (&["P s ok 2", "P - ok 1", "B - -", "E - 0", "S"], "C P D P B D E S"),
        // Another one is another one.
        (&["P - ok 3", "B - -", "E - 0", "S"], "P B D E S"),
        (&["P - ok 1", "P - ok 3", "B - -", "E - 0", "S"], "P B D E S"),
    ] {
        assert_eq!(sends(&mut bench, script), sent, "{script:?}");
    }
    let said = summary(&bench.to_client.split());
    assert!(!said.contains('E'), "{said}");
}

/// Of a table that changes after each unit. What is sent first is shown, and the client's answers.
#[test]
fn a_unit_whose_statement_is_stale_is_sent_once_more() {
    let unit = ["P - stale 1", "B - -", "DP -", "E - 0", "S"];
    let mut bench = Bench::shared(1);
    for sent in ["P B D E S", "C P B D E S", "B D E S", "B D E S"] {
        assert_eq!(sends(&mut bench, &unit), sent);
        assert_eq!(summary(&bench.to_client.split()), "1 2 T D C ZI");
    }
    assert_eq!(bench.server.refused_binds, 2);
    // Before the client has ended its unit; and with a unit behind it, which waits.
    for words in &unit[..4] {
        bench.send(&message(words));
    }
    bench.send(&message("H"));
    while bench.deliver(usize::MAX) > 0 {}
    bench.send(&message("S"));
    for words in unit.iter().chain(&unit) {
        bench.send(&message(words));
    }
    while bench.deliver(usize::MAX) > 0 {}
    let said = summary(&bench.to_client.split());
    assert_eq!(said, ["1 2 T D C ZI"; 3].join(" "));
    // In a transaction the error is the client's, once.
    let mut said = Vec::new();
    for script in [&["Q begin"][..], &unit, &["Q rollback"], &unit] {
        for words in script {
            bench.send(&message(words));
        }
        while bench.deliver(usize::MAX) > 0 {}
        said.push(summary(&bench.to_client.split()));
    }
    assert_eq!(said, ["C ZT", "1 E0A000 ZE", "C ZI", "1 2 T D C ZI"]);
}

#[test]
fn no_more_is_held_than_a_usual_unit() {
    // Asked for eight times, a long name is more than is held.
    let portal = "p".repeat(9_000);
    let describes = vec![format!("DP {portal}"); 8];
    let asked = ["D"; 8].join(" ");
    let mut bench = Bench::shared(1);
    let first = format!("P B {asked} E S");
    // Anew for whoever needs it; and once more, before the Execute has gone.
    let anew = format!("C {first}");
    for (sent, refused) in [(&first, 0), (&anew, 0), (&anew, 1)] {
        bench.send(&message("P - stale 1"));
        bench.send(&message(&format!("B {portal} -")));
        for words in &describes {
            bench.send(&message(words));
        }
        assert_eq!(&sends(&mut bench, &[&format!("E {portal} 0"), "S"]), sent);
        let said = summary(&bench.to_client.split());
        assert_eq!(said, format!("1 2 {} D C ZI", ["T"; 8].join(" ")));
        assert_eq!(bench.server.refused_binds, refused);
    }
}
