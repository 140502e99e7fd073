//! Adminer, a whole administration tool in one PHP file: its pages as two masked users and as an untouched one.

use std::path::Path;

use serde_json::Value;

use super::script::{in_python, through_scrim};
use crate::canary;

/// Where Debian puts it.
const ENTRY: &str = "/usr/share/adminer/adminer.php";

/// What the script looks for, which the page says again.
const GUESS: &str = "minqzxsu.kim@example.com";

/// Names that are hidden from the masked users.
const HIDDEN: [&str; 4] = ["password_hash", "home_phone", "desk_logins", "staff_"];

struct Pages(Value);

impl Pages {
    fn of(user: &str) -> Pages {
        assert!(Path::new(ENTRY).exists(), "no Adminer: run `cargo xtask test`, which installs it");
        let text = through_scrim(user, in_python("adminer_pages.py", &[ENTRY]));
        Pages(serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    fn text(&self, page: &str) -> String {
        let text = self.0[page]["text"].as_str().unwrap_or_else(|| panic!("no page `{page}`"));
        text.replace(GUESS, "").replace(&GUESS.replace('@', "%40"), "")
    }

    fn names(&self) -> Vec<String> {
        self.0.as_object().expect("pages").keys().cloned().collect()
    }

    /// The pages that say what went wrong.
    fn failed(&self) -> Vec<String> {
        let names = self.names().into_iter();
        names.filter(|page| self.text(page).contains("class='error'")).collect()
    }

    fn assert_all_load(&self) {
        for page in self.names() {
            assert_eq!(self.0[&page]["status"], 200, "{page}");
            assert!(page == "exported" || self.text(&page).contains("name=\"logout\""), "{page}");
        }
        assert!(self.names().len() > 20);
    }
}

#[test]
fn adminer_shows_masked_users_what_they_may_see() {
    for (user, mask, clear) in
        [("alice", "m***@example.com", "enterprise"), ("ana", "+00 000 0000", "enterprise")]
    {
        let pages = Pages::of(user);
        pages.assert_all_load();
        // A table that is hidden has no rows to show, and EXPLAIN is not for these roles.
        assert_eq!(pages.failed(), ["rows of a hidden table", "explained"], "{user}");
        for page in pages.names() {
            let text = pages.text(&page);
            assert_eq!(canary::find(text.as_bytes()), Vec::<String>::new(), "{user}: {page}");
            for hidden in HIDDEN {
                assert!(!text.contains(hidden), "{user}: {page} has {hidden}");
            }
        }
        for page in ["rows", "exported"] {
            let text = pages.text(page);
            assert!(text.contains(mask) && text.contains(clear), "{user}: {page}");
        }
        assert!(pages.text("rows by a guess").contains("No rows."), "{user}");
        assert!(pages.text("tables").contains(">customers<"), "{user}");
        assert!(pages.text("table").contains("created_at"), "{user}");
    }
}

#[test]
fn adminer_shows_the_untouched_user_everything() {
    let pages = Pages::of("dba");
    pages.assert_all_load();
    assert_eq!(pages.failed(), Vec::<String>::new());
    for page in ["rows", "a row", "rows of a hidden table", "statement", "exported"] {
        assert!(!canary::find(pages.text(page).as_bytes()).is_empty(), "{page}");
    }
    assert!(pages.text("a hidden table").contains("password_hash"));
}
