//! Every text of the console, in each language that it speaks: one table, so that none can be there in one only.
//!
//! What the rules, the database and Scrim's own messages say is shown as it is.

pub use crate::report::Language;
use crate::report::texts;

/// Of a browser's wishes (`ko-KR,ko;q=0.9,en;q=0.8`): the one that it likes best and that there is.
pub fn wished(accept: &str) -> Language {
    let mut best = (0, Language::English);
    for wish in accept.split(',').take(16) {
        let mut parts = wish.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
        let primary = tag.split('-').next().unwrap_or_default();
        if let Some(language) = Language::of_tag(primary)
            && quality > best.0
        {
            best = (quality, language);
        }
    }
    best.1
}

/// `0.8` as 800; what is no such number is nothing.
fn thousandths(text: &str) -> u32 {
    match text.split_once('.') {
        None => text.parse::<u32>().map_or(0, |whole| whole.min(1).saturating_mul(1000)),
        Some(("0", rest)) if rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{rest:0<3}").parse().unwrap_or_default()
        }
        Some(("1", _)) => 1000,
        Some(_) => 0,
    }
}

texts! {
    Console: "Scrim console", "Scrim 콘솔";
    SkipToContent: "Skip to content", "본문으로 건너뛰기";
    Pages: "Pages", "페이지";
    Settings: "Language and colours", "언어와 색";
    Matrix: "Who sees what", "누가 무엇을 보는가";
    Rules: "Rules", "규칙";
    Report: "Report", "보고서";
    Statements: "Statements", "실행된 문장";
    Sessions: "Sessions", "세션";
    Playground: "Playground", "시험해 보기";
    Grants: "Grants", "임시 허가";
    GrantsHelp: "What somebody may see for a while that the role does not show. One person asks, another one agrees; the rules say what may be opened, and who may agree.", "역할이 보여 주지 않는 것을 누군가가 잠시 볼 수 있게 하는 허가입니다. 한 사람이 요청하고 다른 사람이 승인합니다. 무엇을 열 수 있고 누가 승인할 수 있는지는 규칙에 있습니다.";
    GrantsOff: "No grants are kept: scrim.yaml has no `grants: {store: grants.db}`.", "허가를 저장하지 않습니다. scrim.yaml에 `grants: {store: grants.db}`가 없습니다.";
    GrantsUnread: "The grants cannot be read, so none counts.", "허가를 읽을 수 없어 아무것도 적용되지 않습니다.";
    GrantsNow: "Asked for and in force", "요청되었거나 적용 중인 허가";
    GrantsPast: "Over", "끝난 허가";
    GrantsNone: "There is none.", "없습니다.";
    GrantNumber: "Grant", "허가";
    GrantStatus: "State", "상태";
    GrantAsked: "asked for", "요청됨";
    GrantInForce: "in force", "적용 중";
    GrantRejected: "rejected", "거절됨";
    GrantRevoked: "taken back", "취소됨";
    GrantExpired: "expired", "만료됨";
    GrantLapsed: "lapsed", "승인 없이 소멸";
    GrantBreakGlass: "BREAK-GLASS", "비상 열람";
    GrantOpens: "Opens", "여는 것";
    GrantColumns: "Columns", "열";
    GrantBecause: "Because", "이유";
    GrantAskedBy: "Asked by", "요청한 사람";
    GrantDecidedBy: "Decided by", "결정한 사람";
    GrantUntil: "Until", "기한";
    GrantApprove: "Approve", "승인";
    GrantReject: "Reject", "거절";
    GrantRevoke: "Take back", "취소";
    GrantAsk: "Ask for a grant", "허가 요청하기";
    GrantSend: "Ask", "요청";
    GrantMasks: "Tags with masks, one a line", "태그와 마스크, 한 줄에 하나";
    GrantTable: "Table", "테이블";
    GrantRows: "Rows (SQL over columns that the role sees)", "행(역할이 보는 열에 대한 SQL)";
    GrantWidens: "Also rows that the role does not see", "역할이 볼 수 없는 행도";
    GrantFor: "For how long", "기간";
    GrantForHelp: "90s, 30m, 8h, 2d, from when it is agreed to", "승인된 때부터 90s, 30m, 8h, 2d";
    GlassTitle: "Break the glass", "비상 열람하기";
    GlassWarning: "It opens to you at once, without anybody's agreement, and it is loud: an alarm goes to whoever watches Scrim, and your name, the reason and every cell that you could see by it are on record. For an emergency in which nobody can be waited for.", "누구의 승인도 없이 당신에게 바로 열리며, 조용히 지나가지 않습니다. Scrim을 지켜보는 사람에게 경보가 가고, 당신의 이름과 이유, 볼 수 있었던 모든 칸이 기록에 남습니다. 승인을 기다릴 수 없는 긴급한 경우에만 쓰세요.";
    GlassAware: "I know that an alarm is raised", "경보가 울린다는 것을 알고 있습니다";
    GlassBreak: "Break the glass", "비상 열람";
    GlassUnaware: "Say with the check box that you know of the alarm.", "경보가 울린다는 것을 안다는 칸에 표시하세요.";
    GlassForHelp: "90s, 30m, 8h, 2d, from now", "지금부터 90s, 30m, 8h, 2d";
    GrantDone: "Done: grant", "완료: 허가";
    GrantRefused: "It was not done:", "하지 않았습니다:";
    GrantNoAnswer: "The condition cannot be computed for every row, or the database does not answer.", "모든 행에 대해 조건을 계산할 수 없거나 데이터베이스가 응답하지 않습니다.";
    SignIn: "Sign in", "로그인";
    SignOut: "Sign out", "로그아웃";
    SignedInAs: "Signed in as", "로그인한 사람:";
    User: "User", "사용자";
    Password: "Password", "비밀번호";
    SignInHelp: "With a user of the rules and its password. Who may sign in stands in scrim.yaml, below console.", "규칙에 있는 사용자와 비밀번호로 로그인합니다. 누가 로그인할 수 있는지는 scrim.yaml의 console에 있습니다.";
    SignInWrong: "The name or the password is wrong, or this user may not use the console.", "이름이나 비밀번호가 틀렸거나, 콘솔을 쓸 수 없는 사용자입니다.";
    SignInTooMany: "Too many failed tries for this name. Seconds to wait:", "이 이름으로 실패가 너무 많았습니다. 기다릴 시간(초):";
    SessionOver: "Your time here is over, or the rules have changed. Sign in again.", "세션이 끝났거나 규칙이 바뀌었습니다. 다시 로그인하세요.";
    English: "English", "영어";
    Korean: "한국어 (Korean)", "한국어";
    ThemeAuto: "As the system", "시스템 설정대로";
    ThemeLight: "Light", "밝게";
    ThemeDark: "Dark", "어둡게";
    RulesVersion: "Rules in force", "적용 중인 규칙";
    NotFound: "There is no such page.", "그런 페이지가 없습니다.";
    NotAllowed: "Your roles may not do this here.", "당신의 역할로는 이 일을 할 수 없습니다.";
    BadRequest: "This request is not one that the console makes.", "콘솔이 보내는 요청이 아닙니다.";
    Busy: "The console is busy. Try again in a moment.", "콘솔이 바쁩니다. 잠시 뒤 다시 해 보세요.";
    TookTooLong: "This took too long.", "시간이 너무 오래 걸렸습니다.";
    NoAudit: "The audit trail cannot be written, so nothing is done.", "감사 기록을 쓸 수 없어 아무것도 하지 않았습니다.";
    NoCatalog: "The catalog of the database has not been read yet. Try again in a moment.", "데이터베이스 카탈로그를 아직 읽지 못했습니다. 잠시 뒤 다시 해 보세요.";
    Back: "Back", "뒤로";
    MatrixHelp: "One row is a column of the database, one column is a role. Each cell says through which mask the role sees it; follow a column for its whole story. No value is shown here.", "한 줄은 데이터베이스의 열, 한 칸은 역할입니다. 칸마다 그 역할이 어떤 마스크를 거쳐 보는지 적혀 있습니다. 열 이름을 누르면 자세한 내용이 나옵니다. 값은 보이지 않습니다.";
    Database: "Database", "데이터베이스";
    Filter: "Filter", "거르기";
    FilterShow: "Show", "보기";
    FilterTag: "Holds (tag)", "내용(태그)";
    FilterAll: "everything", "모두";
    FilterName: "Relation or column contains", "테이블이나 열 이름에 포함";
    FilterSeen: "Some role sees it", "어떤 역할에게 보이는 방식";
    FilterRoles: "Roles", "역할";
    FilterReset: "Show all again", "모두 다시 보기";
    ShownColumns: "Columns shown", "표시된 열";
    Column: "Column", "열";
    Holds: "Holds", "내용";
    Role: "Role", "역할";
    Seen: "Seen", "보이는 방식";
    Rows: "Rows", "행";
    AllRows: "all rows", "모든 행";
    OnlyRowsWhere: "only rows where", "다음 조건의 행만:";
    LookupYes: "found by its true value", "실제 값으로 찾을 수 있음";
    DecidedBy: "Decided by", "결정한 줄";
    Users: "Users", "사용자";
    NobodyHasIt: "nobody has this role", "이 역할을 가진 사람이 없음";
    ReadBy: "Read by", "이 열을 읽는 곳";
    Type: "Type", "자료형";
    ClassifiedAt: "Classified at", "분류한 줄";
    NotClassified: "no line classifies it", "분류한 줄이 없음";
    OpenToAll: "open to everybody", "누구에게나 공개";
    ByDefinition: "by its definition", "뷰의 정의대로";
    NoLine: "no line of the role matches", "맞는 줄이 역할에 없음";
    SeenClear: "clear", "그대로";
    SeenPart: "part of it", "일부";
    SeenKeyed: "a keyed stand-in", "키로 만든 대체값";
    SeenBlank: "nothing of it", "내용 없음";
    SeenHidden: "hidden: does not exist", "숨김(없는 열)";
    SeenClosed: "closed: cannot be read", "닫힘(읽을 수 없음)";
    SeenView: "as the view defines it", "뷰의 정의대로";
    Legend: "What the marks mean", "표시의 뜻";
    NothingFits: "Nothing fits.", "맞는 것이 없습니다.";
    NextPage: "Next", "다음";
    PreviousPage: "Previous", "이전";
    RulesHelp: "The rules as they are in force. They are changed in git, not here.", "지금 적용 중인 규칙입니다. 규칙은 여기가 아니라 git에서 바꿉니다.";
    Problems: "Problems", "문제";
    NoProblems: "Nothing is wrong with them.", "문제가 없습니다.";
    ProblemsHelp: "What scrim check says of these rules and of the database.", "이 규칙과 데이터베이스에 대해 scrim check가 말하는 내용입니다.";
    ProblemsNotWhole: "Generated columns and the names of indexes were not looked at: the database does not answer. Try again in a moment.", "데이터베이스가 응답하지 않아 생성 열과 색인 이름은 보지 못했습니다. 잠시 뒤 다시 해 보세요.";
    LastReloadRefused: "Rules that were to come into force later are broken, so those below stay:", "나중에 적용하려던 규칙이 잘못되어 아래 규칙이 그대로 남아 있습니다:";
    Files: "Files", "파일";
    ReportHelp: "What the audit trail says: who saw which kinds of data, what was refused, what is unusual. It reads the whole trail, so it takes a moment.", "감사 기록이 말하는 내용입니다. 누가 어떤 종류의 데이터를 보았고, 무엇이 거부되었고, 무엇이 평소와 다른지 보여 줍니다. 기록 전체를 읽으므로 잠시 걸립니다.";
    ReportMake: "Make the report", "보고서 만들기";
    ReportSince: "Since", "시작";
    ReportUntil: "Until", "끝";
    ReportTimes: "2026-11-28, 2026-11-28T18:00, or 7d and 12h (so long ago); empty: all", "2026-11-28, 2026-11-28T18:00, 또는 7d와 12h(그만큼 전부터). 비우면 전부";
    ReportZone: "Time zone", "시간대";
    ReportTooLarge: "The trail is too large for a page. On the server: scrim report --format html", "기록이 너무 커서 페이지로 보일 수 없습니다. 서버에서: scrim report --format html";
    Row: "Who saw one row", "한 행을 누가 보았는가";
    RowHelp: "Of one row, by its primary key: who was shown it, when, for which purpose, through which masks; and apart from that who could see it by a grant, and who may have seen it. Which rows a statement showed is on record of roles with `audit_rows: true` alone.", "기본 키로 고른 한 행에 대해, 누가 언제 어떤 목적으로 어떤 마스크를 거쳐 보았는지 보여 줍니다. 임시 허가로 볼 수 있었던 사람과 보았을 수도 있는 사람은 따로 보여 줍니다. 문장이 어느 행을 보여 주었는지는 `audit_rows: true`인 역할에 대해서만 기록됩니다.";
    RowBack: "The whole report", "전체 보고서";
    RowRelation: "Relation, with its schema", "스키마를 붙인 테이블 이름";
    RowKey: "Key", "키";
    RowKeyHelp: "Of several columns, the values of the key stand in their order with commas: 1,7; a value with a comma in double quotes.", "키가 여러 열이면 순서대로 쉼표로 나눕니다: 1,7. 쉼표가 든 값은 큰따옴표로 묶습니다.";
    RowRecorded: "That you ask about this row is on record in the audit trail.", "이 행에 대해 물었다는 것이 감사 기록에 남습니다.";
    RowAsk: "Ask", "묻기";
    RowAnswer: "What the audit trail says", "감사 기록이 말하는 것";
    RowNone: "There is nothing to tell:", "알려 줄 것이 없습니다:";
    RowTooLong: "The relation or the key is too long.", "테이블 이름이나 키가 너무 깁니다.";
    StatementsHelp: "The last statements and refusals, the newest first, as they stand in the audit trail: with ? in the place of each literal, and without parameters and results.", "최근 문장과 거부된 문장입니다. 새것이 위에 있고, 감사 기록에 적힌 그대로입니다. 리터럴은 ?로 바뀌어 있고 매개변수와 결과는 없습니다.";
    OnlyRefused: "Only what was refused", "거부된 것만";
    Refresh: "Refresh", "새로 고침";
    Pause: "Pause", "멈춤";
    Resume: "Follow", "따라가기";
    Time: "Time", "시각";
    Verdict: "Verdict", "판정";
    Statement: "Statement", "문장";
    Result: "Outcome", "결과";
    RowsGiven: "rows", "행";
    Failed: "failed", "실패";
    VerdictForward: "as it came", "그대로 보냄";
    VerdictRewrite: "rewritten", "고쳐서 보냄";
    VerdictRefuse: "refused", "거부";
    NoStatements: "Nothing yet since this Scrim has started.", "이 Scrim이 시작된 뒤로 아직 없습니다.";
    SessionsHelp: "Who is connected to Scrim now, and the server connections that they share.", "지금 Scrim에 접속한 세션과, 세션들이 나누어 쓰는 서버 연결입니다.";
    Session: "Session", "세션";
    Client: "Client", "클라이언트";
    Application: "Application", "애플리케이션";
    Since: "Since", "시작";
    Doing: "Does", "상태";
    DoingIdle: "idle", "쉬는 중";
    DoingActive: "runs a statement", "문장 실행 중";
    DoingInTransaction: "in a transaction", "트랜잭션 안";
    EndSession: "End", "끝내기";
    EndSessionNamed: "End session", "세션 끝내기:";
    SessionEnded: "The session was told to end:", "세션에 끝내라고 알렸습니다:";
    SessionGone: "This session is not here any more:", "이 세션은 이미 없습니다:";
    NoSessions: "Nobody is connected.", "접속한 세션이 없습니다.";
    Pools: "Pools", "풀";
    NoPools: "No server connection was needed yet.", "아직 서버 연결이 필요하지 않았습니다.";
    PoolLogin: "Login", "로그인 계정";
    PoolKind: "For", "대상";
    PoolMasked: "masked roles", "마스크된 역할";
    PoolUntouched: "roles that pass untouched", "그대로 통과하는 역할";
    PoolSize: "Size", "크기";
    PoolInUse: "In use", "사용 중";
    PoolIdle: "At rest", "쉬는 연결";
    PoolWaiting: "Sessions that wait", "기다리는 세션";
    PlaygroundHelp: "What happens to a statement of a role. The rows come through a session of Scrim as your own role, so they are what you may see anyway; nothing that is written stays.", "어떤 역할의 문장이 어떻게 되는지 봅니다. 행은 당신의 역할로 연 Scrim 세션에서 오므로, 원래 볼 수 있는 것만 보입니다. 쓴 내용은 남지 않습니다.";
    PlaygroundExplain: "Explain only", "설명만";
    PlaygroundRun: "Explain and run", "설명하고 실행";
    PlaygroundBeside: "Beside it, as", "나란히 볼 역할";
    PlaygroundNobody: "nobody", "없음";
    PlaygroundOwn: "your role", "내 역할";
    PlaygroundPurpose: "Purpose, where the role has some", "목적(역할에 있을 때)";
    PlaygroundDetails: "Details, a line each: ticket=42", "세부 값, 한 줄에 하나: ticket=42";
    PlaygroundSql: "SQL, one statement", "SQL 문장 하나";
    PlaygroundNotOwn: "Rows are shown for your own roles only, and this is none of them.", "행은 자기 역할에 대해서만 볼 수 있는데, 이 역할은 당신의 것이 아닙니다.";
    PlaygroundMay: "You may explain, but not run.", "설명은 볼 수 있지만 실행할 수는 없습니다.";
    PlaygroundUnknownRole: "There is no such role.", "그런 역할이 없습니다.";
    PlaygroundTooLong: "The text is too long for the playground.", "시험하기에는 글이 너무 깁니다.";
    SentSql: "Sent to PostgreSQL", "PostgreSQL로 보내는 문장";
    MaskedOnTheWay: "Come as they are, and are masked on the way to the client:", "값 그대로 온 뒤 클라이언트로 가는 길에 마스크되는 열:";
    ReadsHeading: "Reads", "읽는 것";
    NothingIsSent: "Nothing is sent; the session goes on.", "아무것도 보내지 않으며, 세션은 계속됩니다.";
    Hint: "Hint", "도움말";
    RowsHeading: "Rows as", "다음 역할의 행:";
    NoRows: "no rows", "행 없음";
    MoreRows: "There are more; these are the first.", "더 있습니다. 앞부분만 보였습니다.";
    ServerSaid: "The server's answer", "서버의 답";
}

#[cfg(test)]
mod tests {
    use super::{Language, Word, wished};

    fn is_hangul(character: char) -> bool {
        ('가'..='힣').contains(&character)
    }

    /// That each is there is the compiler's to see; this is whether it is what it says.
    #[test]
    fn every_text_is_in_both_languages() {
        assert!(Word::ALL.len() > 100);
        for word in Word::ALL {
            let (english, korean) = (word.of(Language::English), word.of(Language::Korean));
            for text in [english, korean] {
                assert!(!text.trim().is_empty() && text.trim() == text, "{word:?}: `{text}`");
            }
            assert!(korean.chars().any(is_hangul), "{word:?}: `{korean}` is not Korean");
            let is_name = *word == Word::Korean;
            assert!(is_name || !english.chars().any(is_hangul), "{word:?}: `{english}`");
        }
    }

    #[test]
    fn the_browser_chooses_among_what_there_is() {
        for (accept, language) in [
            ("", Language::English),
            ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", Language::Korean),
            ("en-US,en;q=0.9,ko;q=0.8", Language::English),
            ("fr,de;q=0.5", Language::English),
            ("fr;q=0.9, ko;q=0.1", Language::Korean),
            ("KO", Language::Korean),
            ("ko;q=0, en;q=0.1", Language::English),
            ("ko;q=2, en;q=x", Language::Korean),
            (&"ko;q=0.0000000001,".repeat(1000), Language::English),
        ] {
            assert_eq!(wished(accept), language, "{accept}");
        }
    }
}
