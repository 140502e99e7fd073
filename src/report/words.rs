//! Every text of the report, in each language that it speaks: one table, so that none can be there in one only.
//!
//! Names, rules, statements, and what programs read (JSON) stay as they are. Places for them are `{0}` to `{9}`.

/// A language of what is told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Korean.
    Korean,
}

impl Language {
    /// As HTML and browsers call it.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Korean => "ko",
        }
    }

    /// By its tag.
    pub fn of_tag(tag: &str) -> Option<Language> {
        match tag {
            "en" => Some(Language::English),
            "ko" => Some(Language::Korean),
            _ => None,
        }
    }
}

/// A table of texts: a name, English, Korean.
macro_rules! texts {
    ($($name:ident: $english:literal, $korean:literal;)*) => {
        /// A text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Word { $($name),* }

        impl Word {
            /// All of them.
            #[cfg(test)]
            pub const ALL: &'static [Word] = &[$(Word::$name),*];

            /// In a language.
            pub fn of(self, language: Language) -> &'static str {
                match (self, language) {
                    $(
                        (Word::$name, Language::English) => $english,
                        (Word::$name, Language::Korean) => $korean,
                    )*
                }
            }
        }
    };
}
pub(crate) use texts;

texts! {
    NoRowNamed: "`{0}` names no row", "`{0}`: 행의 이름이 아닙니다";
    NoRelationName: "`{0}` is no name of a relation: {1}", "`{0}`: 릴레이션의 이름이 아닙니다({1})";
    NoRelation: "there is no relation `{0}` in database `{1}`", "데이터베이스 `{1}`에 그런 릴레이션이 없습니다: `{0}`";
    DidYouMean: "did you mean `{0}`?", "혹시 `{0}`?";
    NoKey: "`{0}` has no primary key in database `{1}`", "데이터베이스 `{1}`의 `{0}`에는 기본 키가 없습니다";
    AskForTable: "ask for a row of a table that it reads", "이 뷰가 읽는 테이블의 행에 대해 물어보세요";
    OnlyByKey: "only by a primary key can it be told which rows somebody was shown", "누구에게 어느 행이 보였는지는 기본 키로만 알 수 있습니다";
    KeyPart: "the primary key of `{0}` is ({1}), and {2} of its {3} values is given", "`{0}`의 기본 키는 ({1})입니다. 값 {3}개 가운데 {2}개가 적혀 있습니다";
    KeyParts: "the primary key of `{0}` is ({1}), and {2} of its {3} values are given", "`{0}`의 기본 키는 ({1})입니다. 값 {3}개가 필요한데 {2}개가 적혀 있습니다";
    NoValue: "`{0}` is no value of `{1}`, which is of type {2}", "`{0}`: `{1}`의 값이 될 수 없습니다. 자료형은 {2}입니다";
}

impl Word {
    /// With values in its places.
    pub fn with(self, language: Language, values: &[&str]) -> String {
        filled(self.of(language), values)
    }
}

/// What stands in a value is never taken for a place.
fn filled(text: &str, values: &[&str]) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(32));
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let place = after.split_once('}').and_then(|(place, after)| {
            let value = values.get(place.parse::<usize>().ok()?)?;
            Some((*value, after))
        });
        let Some((value, after)) = place else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_hangul(character: char) -> bool {
        ('가'..='힣').contains(&character)
    }

    fn places(text: &str) -> Vec<&str> {
        let mut places: Vec<&str> = text.split('{').skip(1).collect();
        places.iter_mut().for_each(|place| *place = place.split('}').next().unwrap_or_default());
        places.sort_unstable();
        places
    }

    /// That each is there is the compiler's to see; this is whether it is what it says, and says all of it.
    #[test]
    fn every_text_is_in_both_languages() {
        for word in Word::ALL {
            let (english, korean) = (word.of(Language::English), word.of(Language::Korean));
            for text in [english, korean] {
                assert!(!text.trim().is_empty() && text.trim() == text, "{word:?}: `{text}`");
            }
            assert!(korean.chars().any(is_hangul), "{word:?}: `{korean}` is not Korean");
            assert!(!english.chars().any(is_hangul), "{word:?}: `{english}`");
            assert_eq!(places(english), places(korean), "{word:?}");
            // A title of numbers is one in both.
            assert_eq!(english.starts_with('#'), korean.starts_with('#'), "{word:?}");
        }
    }

    #[test]
    fn values_are_no_places() {
        assert_eq!(filled("{1} of {0}, {0}", &["a{1}", "b"]), "b of a{1}, a{1}");
        assert_eq!(filled("{2} { {x} {", &["a"]), "{2} { {x} {");
    }
}
