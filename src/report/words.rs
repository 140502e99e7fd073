//! Every text of the report, in each language that it speaks: one table, so that none can be there in one only.
//!
//! Names, rules, statements, and what programs read (JSON) stay as they are. Places for them are `{0}` to `{9}`.

use serde::{Serialize, Serializer};

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
    // On top.
    Title: "Privacy report", "개인정보 보고서";
    MadeBy: "made by scrim, {0}", "scrim이 {0}에 만듦";
    TrailNotVerified: "The audit trail was not verified:", "감사 기록이 검증되지 않았습니다:";
    Sections: "Sections", "차례";
    Notes: "Notes", "알아 둘 것";
    Note: "note: {0}", "참고: {0}";
    None: "none", "없음";
    MoreInJson: "… and {0} more; the JSON has all", "… 그 밖에 {0}개. 전부는 JSON에 있습니다";
    MoreElsewhere: "… and {0} more (`--format json` and `html` have them)", "… 그 밖에 {0}개(`--format json`과 `html`에 있습니다)";
    AndMore: "{0} and {1} more", "{0} 그 밖에 {1}개";
    Subject: "subject", "행";
    AuditTrail: "audit trail", "감사 기록";
    FilesFromTo: "{0} files, {1} to {2}", "파일 {0}개, {1} ~ {2}";
    NoFile: "no file", "파일 없음";
    Records: "records", "기록 수";
    RecordsFromTo: "{0}, number {1} to {2}, {3} to {4}", "{0}개, 번호 {1} ~ {2}, {3} ~ {4}";
    Chain: "chain", "해시 체인";
    NotVerified: "NOT VERIFIED: {0}", "검증되지 않음: {0}";
    WholeFromHere: "whole from its first record here; what was before is not looked at", "여기 있는 첫 기록부터 온전함. 그 앞은 확인하지 않음";
    Whole: "whole", "온전함";
    Period: "period", "기간";
    FromTo: "{0} to {1}", "{0}부터 {1}까지";
    DaysAndHours: "days and hours", "날짜와 시각 기준";
    RulesNow: "rules now", "지금 규칙";
    WithCatalog: "{0}, with the catalog of {1}", "{0}, {1}의 카탈로그로";
    NotAsked: "{0}, the database was not asked", "{0}, 데이터베이스에는 묻지 않음";
    InForceWere: "in force were", "적용되었던 규칙";
    SeenByStatements: "seen by statements", "본 문장";
    OpenedToStatements: "opened to statements", "허가로 열린 문장";
    PossiblyByStatements: "possibly seen by statements", "보았을 수도 있는 문장";
    RowsGiven: "rows given", "내준 행";
    Logins: "logins", "로그인";
    LoginsFailed: "logins that failed", "실패한 로그인";
    ValuesLookedUp: "values looked up", "찾아본 값";
    // Columns; a `#` is for numbers.
    Time: "time", "시각";
    User: "user", "사용자";
    Users: "users", "사용자";
    Role: "role", "역할";
    Roles: "roles", "역할";
    Whom: "for", "대신한 사람";
    Purpose: "purpose", "목적";
    Where: "where", "위치";
    Day: "day", "날짜";
    Statement: "statement", "문장";
    Statements: "statements", "문장";
    Refused: "refused", "거부";
    Rows: "rows", "행";
    Lookups: "lookups", "찾아보기";
    Clear: "clear", "그대로";
    Masked: "masked", "마스크";
    Kind: "kind", "종류";
    LooksLike: "looks like", "닮은 것";
    Then: "then", "조치";
    Reason: "reason", "이유";
    Rules: "rules", "규칙";
    Rule: "rule", "규칙";
    ClaimedUser: "claimed user", "댄 이름";
    Sqlstate: "SQLSTATE", "SQLSTATE 코드";
    From: "from", "접속한 곳";
    First: "first", "처음";
    Last: "last", "마지막";
    Column: "column", "열";
    Columns: "columns", "열";
    Grant: "grant", "허가";
    Opens: "opens", "여는 것";
    Because: "because", "이유";
    WhatHappened: "what happened", "있었던 일";
    StepAsked: "asked by {0} at {1}", "{1}에 {0}이(가) 요청함";
    StepApproved: "approved by {0} at {1}", "{1}에 {0}이(가) 승인함";
    StepRejected: "rejected by {0} at {1}", "{1}에 {0}이(가) 거절함";
    StepRevoked: "revoked by {0} at {1}", "{1}에 {0}이(가) 취소함";
    StepBreakGlass: "break_glass by {0} at {1}", "{1}에 {0}이(가) 비상 열람함";
    StepExpired: "expired at {0}", "{0}에 만료됨";
    StepOfSomebody: "{0} by {1} at {2}", "{2}에 {1}: {0}";
    StepOfNobody: "{0} at {1}", "{1}에 {0}";
    Keys: "keys", "키";
    Of: "of", "무엇의 수";
    Hours: "hours", "시간";
    Whose: "whose", "누구의";
    What: "what", "무엇";
    Which: "which", "어느 것";
    Database: "database", "데이터베이스";
    Session: "session", "세션";
    Why: "why", "까닭";
    Read: "read", "읽은 곳";
    NumberStatements: "#statements", "#문장";
    NumberRefused: "#refused", "#거부";
    NumberRows: "#rows", "#행";
    NumberBytes: "#bytes", "#바이트";
    NumberLookups: "#lookups", "#찾아보기";
    NumberClear: "#clear", "#그대로";
    NumberMasked: "#masked", "#마스크";
    NumberRowsClear: "#rows clear", "#그대로 본 행";
    NumberRowsMasked: "#rows masked", "#마스크로 본 행";
    NumberColumns: "#columns", "#열";
    NumberLogins: "#logins", "#로그인";
    NumberValues: "#values", "#값";
    NumberCells: "#cells", "#칸";
    NumberCount: "#count", "#수";
    NumberUsual: "#usual", "#평소";
    NumberDeviations: "#deviations", "#편차";
    NumberDays: "#days", "#날";
    NumberOtherDays: "#other days", "#다른 날";
    NumberGrant: "#grant", "#허가";
    // Sections.
    Alarms: "ALARMS of the guard", "가드의 경보";
    AlarmsWords: "Each is a defect of Scrim: the result was stopped, and no value was sent.", "하나하나가 Scrim의 결함입니다. 결과를 막았고 값은 나가지 않았습니다.";
    Place: "session {0}, statement {1}", "세션 {0}, 문장 {1}";
    ByDay: "By day", "날짜별";
    NoStatements: "no statement in this period", "이 기간에는 문장이 없습니다";
    ByHour: "By day of the week and hour", "요일과 시간별";
    NoneStated: "(none stated)", "(밝히지 않음)";
    ByRole: "By role", "역할별";
    ByPurpose: "By purpose", "목적별";
    ByUser: "By user", "사용자별";
    ByEndUser: "By whom users act for", "사용자가 대신한 사람별";
    ByKind: "By kind of data", "데이터 종류별";
    ByKindWords: "Statements that read a column of the kind, clear or through masks alone, in conditions too; rows are those of their results.", "그 종류의 열을 그대로, 또는 마스크로만 읽은 문장입니다. 조건에서 읽은 것도 셉니다. 행은 그 문장들의 결과 행입니다.";
    Found: "Found in results by the guard of a role", "역할의 가드가 결과에서 찾은 것";
    FoundWords: "Columns of results in which something of the kind was, each once.", "그런 것이 들어 있던 결과의 열입니다. 각각 한 번씩 셉니다.";
    Refusals: "Refusals by reason", "이유별 거부";
    NothingRefused: "nothing was refused", "거부된 것이 없습니다";
    FailedLogins: "Logins that failed", "실패한 로그인";
    FailedLoginsWords: "The names are what clients claimed.", "이름은 클라이언트가 댄 그대로입니다.";
    LookupsTitle: "Lookups by true values", "실제 값으로 찾아보기";
    NothingLookedUp: "nothing was looked up", "찾아본 것이 없습니다";
    Grants: "Temporary access", "임시 허가";
    GrantsWords: "Cells are those that statements could see by a grant, in every row that it opens, each time counted; `*` is every row that the role sees.", "칸은 허가로 문장이 볼 수 있었던 칸이며, 허가가 여는 모든 행에서 매번 셉니다. `*`는 역할이 보는 모든 행입니다.";
    BreakGlass: "BREAK-GLASS", "비상 열람";
    UnusualVolume: "Unusual volume", "평소와 다른 양";
    UnusualVolumeWords: "Days of a user more than 3.5 deviations (1.4826 MAD) over the median of the user's own active days.", "사용자 자신이 활동한 날들의 중앙값보다 편차(1.4826 MAD)의 3.5배 넘게 많은 날입니다.";
    FewDays: "Fewer than {0} active days: {1}.", "활동한 날이 {0}일보다 적은 사용자: {1}.";
    UnusualHours: "Unusual hours", "평소와 다른 시간";
    UnusualHoursWords: "Hours in which, give or take one, the user does nothing on 19 of 20 other days.", "앞뒤 한 시간까지 보아도 사용자가 다른 날 20일 가운데 19일은 아무것도 하지 않는 시간입니다.";
    Unused: "Permissions that nobody used", "아무도 쓰지 않은 권한";
    UnusedWords: "In this period; by the rules as they are now. Functions and channels are not in the audit.", "이 기간에, 지금 규칙을 기준으로 합니다. 함수와 채널은 감사 기록에 없습니다.";
    UnusedUser: "a user who did not log in", "로그인하지 않은 사용자";
    UnusedRole: "a role that nobody used", "아무도 쓰지 않은 역할";
    UnusedRoleOfUser: "a role that the user did not use", "사용자가 쓰지 않은 역할";
    UnusedData: "data that the role did not read", "역할이 읽지 않은 데이터";
    UnusedPurpose: "a purpose that nobody stated", "아무도 밝히지 않은 목적";
    AllUsed: "all of them were used", "모두 쓰였습니다";
    Unclassified: "Columns that nobody has classified", "아무도 분류하지 않은 열";
    UnclassifiedWords: "Of those that were read; the database was not asked.", "읽힌 열 가운데서입니다. 데이터베이스에는 묻지 않았습니다.";
    ByRow: "Rules that go by the row: consent and retention", "행에 따르는 규칙: 동의와 보존 기간";
    ByRowWords: "In force now, by the role's lines; what looks at the clock shows a row for a time only.", "지금 적용되는 역할의 규칙입니다. 시각을 보는 규칙은 행을 일정 기간만 보여 줍니다.";
    ByRowRows: "only rows where", "다음 행만";
    ByRowMask: "a mask by row", "행마다 다른 마스크";
    Condition: "condition", "조건";
    ByClock: "by the clock", "시각 기준";
    Yes: "yes", "예";
    // Of one row.
    Seen: "Seen", "본 것";
    SeenWords: "The key of the row went to the client. Columns are those of the row that the statement mentions, each shown or gone by, with the mask that the role had then; the JSON says which stood in the result.", "행의 키가 클라이언트로 나갔습니다. 열은 문장이 언급한 그 행의 열로, 보여 주었거나 조건 등에 쓰였으며, 그때 역할에 적용된 마스크를 함께 적었습니다. 어느 열이 결과에 있었는지는 JSON에 있습니다.";
    Opened: "Opened by a grant", "허가로 열린 것";
    OpenedWords: "A grant opened columns of the row to the session, and the statement mentioned them: it could see them. `*` is the row itself.", "허가가 세션에 그 행의 열을 열었고, 문장이 그 열을 언급했으므로 볼 수 있었습니다. `*`는 행 자체입니다.";
    Possibly: "Possibly seen", "보았을 수도 있는 것";
    PossiblyWords: "These statements read the relation, and which of its rows they showed is not on record. This row may be among them; nothing says that it is.", "이 문장들은 릴레이션을 읽었지만 어느 행을 보여 주었는지는 기록에 없습니다. 이 행이 그 가운데 있을 수도 있으나, 그렇다고 말해 주는 것은 없습니다.";
    NotListed: "{0} more are not listed.", "그 밖에 {0}개는 싣지 않았습니다.";
    ByNoStatement: "by no statement on record", "기록에 있는 문장 가운데는 없습니다";
    NothingOnRecord: "nothing is on record because no role has `audit_rows: true`; which rows a statement showed is not known", "`audit_rows: true`인 역할이 없어 기록된 것이 없습니다. 문장이 어느 행을 보여 주었는지는 알 수 없습니다";
    KeysDoNotComeOut: "its keys do not come out of the statement", "문장의 결과에 키가 나오지 않음";
    ByAnotherKey: "read by another key", "다른 키로 읽음";
    RowsBeyond: "rows beyond those that a record names", "기록이 이름을 댄 행을 넘는 행";
    NoAuditRows: "the role has no `audit_rows`", "역할에 `audit_rows`가 없음";
    NoEndOnRecord: "the end of the statement is not on record", "문장의 끝이 기록에 없음";
    ByAView: "read by a view", "뷰로 읽음";
    Or: "or", "또는";
    NewerMask: "a mask of a newer Scrim", "더 새로운 Scrim의 마스크";
    // Notes.
    ReadingsUnknown: "what sessions of {0} read is not known: nobody looks at what passes untouched", "{0}의 세션이 무엇을 읽었는지는 알 수 없습니다. 그대로 통과하는 것은 아무도 보지 않습니다";
    OtherRules: "kinds of data and permissions are told by the rules as they are now; in the period others were in force too", "데이터 종류와 권한은 지금 규칙을 기준으로 합니다. 이 기간에는 다른 규칙도 적용되었습니다";
    NotUnderstood: "{0} records of a newer Scrim were not understood", "더 새로운 Scrim의 기록 {0}개를 이해하지 못했습니다";
    KeysNotRead: "keys of type {0} are not read, so that every sighting of `{1}` is only a possible one", "자료형이 {0}인 키는 읽지 않으므로, `{1}`에 대해서는 보았을 수도 있다는 것만 알 수 있습니다";
    StatementsOnly: "of {0} only the statements are on record, not the rows: they have no `audit_rows` by the rules as they are now", "{0}에 대해서는 행이 아니라 문장만 기록됩니다. 지금 규칙에 `audit_rows`가 없습니다";
    OtherWays: "who reaches the database another way is not in the trail; nor is what was read of a copy: a temporary table, a materialised view that was made by something else, a function of your own", "다른 길로 데이터베이스에 닿는 사람은 기록에 없습니다. 사본에서 읽은 것도 없습니다: 임시 테이블, 다른 곳에서 만든 구체화된 뷰, 직접 만든 함수";
    // Charts.
    Sent: "sent", "보냄";
    SentAndRefused: "{0}: {1} sent, {2} refused", "{0}: 보냄 {1}, 거부 {2}";
    StrongestSquare: "statements; the strongest square: {0}", "문장 수. 가장 진한 칸: {0}";
    Monday: "Mon", "월";
    Tuesday: "Tue", "화";
    Wednesday: "Wed", "수";
    Thursday: "Thu", "목";
    Friday: "Fri", "금";
    Saturday: "Sat", "토";
    Sunday: "Sun", "일";
    // What names no row.
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

/// Programs read English.
impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.of(Language::English))
    }
}

/// A text with the values that stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    word: Word,
    values: Vec<String>,
}

impl Sentence {
    /// Of these.
    pub fn new(word: Word, values: Vec<String>) -> Sentence {
        Sentence { word, values }
    }

    /// In a language.
    pub fn told(&self, language: Language) -> String {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        self.word.with(language, &values)
    }
}

/// Programs read English.
impl Serialize for Sentence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.told(Language::English))
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
