//! Words of the generators. Nobody in here is real.

pub const FIRST: &[&str] = &[
    "James",
    "Maria",
    "Olivia",
    "Noah",
    "Fatima",
    "Chen",
    "Priya",
    "Lukas",
    "Amelie",
    "Santiago",
    "Yuki",
    "Oluwaseun",
    "Ingrid",
    "Dmitri",
    "Aisha",
    "Patrick",
    "Chloe",
    "Mehmet",
    "Katarzyna",
    "Joao",
    "Emma",
    "William",
    "Sofia",
    "Daniel",
    "Grace",
    "Hannah",
    "Mateo",
    "Leila",
    "Viktor",
    "Nguyen",
    "Robert",
    "Linda",
    "Michael",
    "Susan",
    "Thomas",
    "Karen",
    "Freya",
    "Omar",
    "Zanele",
    "Piotr",
    "Margaret",
    "Steven",
    "Deborah",
];
pub const LAST: &[&str] = &[
    "Smith",
    "Garcia",
    "Nakamura",
    "Okafor",
    "Lindqvist",
    "Petrov",
    "Khan",
    "O'Brien",
    "Dubois",
    "Yilmaz",
    "Kowalski",
    "Silva",
    "Johnson",
    "Brown",
    "Schneider",
    "Rossi",
    "Andersen",
    "Wang",
    "Patel",
    "Martinez",
    "Taylor",
    "Lopez",
    "Fischer",
    "Novak",
    "Haddad",
    "Tran",
    "Miller",
    "Davis",
    "Wilson",
    "Van Dijk",
    "Moreau",
    "Castillo",
    "Hughes",
    "Mbeki",
    "Ferreira",
    "Clarke",
    "Weber",
    "Sato",
    "Murphy",
    "Ivanova",
    "Reyes",
    "Stone",
];
pub const SURNAMES_KR: &[&str] = &[
    "김", "이", "박", "최", "정", "강", "조", "윤", "장", "임", "한", "오", "서", "신", "권", "황",
    "안", "송", "류", "홍", "전", "고", "문", "손", "양", "배", "남궁", "변", "탁",
];
pub const GIVEN_KR: &[&str] = &[
    "민준", "서연", "도윤", "지우", "하은", "영수", "현정", "미숙", "철", "동현", "수빈", "예진",
    "상훈", "은지", "경희", "진", "재호", "나래", "한결", "성민", "보라", "태영",
];
pub const DOMAINS: &[&str] =
    &["example.com", "mail.example.org", "example.co.kr", "corp.example.de", "example.net"];
pub const CITIES: &[&str] = &[
    "Springfield",
    "Portland",
    "Hamburg",
    "Lyon",
    "Busan",
    "Leeds",
    "Austin",
    "Osaka",
    "Sao Paulo",
    "Delft",
    "Kingston",
    "Aurora",
    "Turin",
    "Edmonton",
    "Florence",
    "Charlotte",
    "Madison",
];
pub const COUNTRIES: &[&str] =
    &["United States", "Germany", "South Korea", "France", "Brazil", "Canada"];
pub const STREETS: &[&str] = &[
    "Maple Street",
    "Oak Ave",
    "Harrison Blvd",
    "Queens Road",
    "Sunset Dr",
    "King St. W",
    "2nd Avenue",
    "Elm Lane",
    "Mill Ct",
    "Hawthorne Way",
    "Broadway",
    "Church Rd",
    "Station Parade",
    "Highland Park Pl",
];
pub const STREETS_DE: &[&str] = &[
    "Hauptstraße",
    "Lindenallee",
    "Am Markt",
    "Bahnhofstr.",
    "Theodor-Heuss-Straße",
    "Gartenweg",
    "Kirchplatz",
    "Rue de la Paix",
    "Via Garibaldi",
    "Avenida Paulista",
];
pub const DISTRICTS_KR: &[&str] = &[
    "서울특별시 강남구",
    "부산광역시 해운대구",
    "경기도 성남시 분당구",
    "제주특별자치도 제주시",
    "대전 유성구",
];
pub const ADDRESS_KR: &[&str] =
    &["테헤란로", "센텀중앙로", "판교역로", "노형로", "대학로 99번길", "삼성동"];
pub const COMPANIES: &[&str] = &[
    "Acme Corp",
    "Globex GmbH",
    "Initech",
    "Umbrella Ltd",
    "Stark Industries",
    "Wayne Enterprises",
    "Hooli Inc.",
    "Northwind Traders",
    "Contoso",
    "Smith & Sons LLC",
];
pub const COMPANIES_KR: &[&str] =
    &["한빛전자(주)", "주식회사 새벽", "대한물산", "미래테크", "우리식품", "정우산업"];
pub const BANKS_KR: &[&str] = &["국민은행", "신한은행", "우리은행", "카카오뱅크", "농협"];
pub const BRANDS: &[&str] =
    &["Northpeak", "Lumina", "Voltex", "Casa Verde", "Bergmann", "First National Bank"];
pub const PRODUCTS_KR: &[&str] =
    &["무선 이어폰", "정기예금", "유기농 쌀", "사무용 의자", "주택청약", "볼펜"];
pub const DEPARTMENTS: &[&str] =
    &["Engineering", "Human Resources", "Sales", "Legal", "Operations"];
pub const DEPARTMENTS_KR: &[&str] =
    &["인사팀", "내과", "총무과", "정형외과", "민원봉사과", "개발1팀"];
pub const RANKS_KR: &[&str] = &["사원", "대리", "과장", "차장", "부장"];
pub const JOB_TITLES: &[&str] =
    &["Software Engineer", "VP of Sales", "Accountant", "Nurse", "Data Analyst", "Driver"];
pub const DIAGNOSES: &[&str] = &[
    "Type 2 diabetes without complications",
    "Fracture of left wrist",
    "Essential hypertension",
    "Whiplash, soft tissue injury",
    "Acute bronchitis",
    "Concussion after fall",
];
pub const DIAGNOSES_KR: &[&str] =
    &["제2형 당뇨병", "본태성 고혈압", "급성 기관지염", "요추 염좌", "위염"];
pub const DRUGS: &[&str] =
    &["Penicillin", "Ibuprofen", "Metformin", "Latex", "Amoxicillin 500 mg", "Peanuts"];
pub const USER_AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/",
    "curl/8.",
    "okhttp/4.",
];
pub const WORDS: &[&str] = &[
    "amber", "rocket", "garden", "silver", "planet", "window", "coffee", "bright", "cotton",
    "engine", "forest", "harbor", "island", "jacket", "kernel", "ladder", "marble", "nectar",
    "orange", "pocket", "quartz", "ribbon", "shadow", "timber", "urban", "velvet", "willow",
    "yellow", "zephyr", "direct", "organic", "login", "search",
];
pub const WORDS_KR: &[&str] =
    &["승용", "진행중", "완료", "서울", "기타", "일반", "화물", "무지개", "정상"];
pub const SENTENCES: &[&str] = &[
    "The customer would like a refund for the last delivery.",
    "Screen stays black after the update.",
    "Please leave the parcel at the reception.",
    "Waiting for spare parts from the supplier.",
    "A thoughtful display of a composer and a feminist who must meet a husband in a jet boat.",
    "Soft cotton with a modern fit, machine wash cold.",
    "Invoice does not match the order.",
    "Moved to another city, left on good terms.",
    "Cannot connect to the database, retry in 5 seconds.",
    "Renewal agreed for another twelve months at the old price.",
    "How do I change my plan?",
];
pub const SENTENCES_KR: &[&str] = &[
    "배송 전에 문 앞에 놓아 주세요.",
    "환불 요청하셨고 다음 주에 처리 예정입니다.",
    "기침과 발열이 3일째 지속됨.",
    "부재 시 경비실에 맡겨 주세요",
    "도로 파손 신고합니다",
    "계약 갱신 관련 문의",
];
pub const NOTES: &[&str] = &[
    "Spoke to {name}, call back at {phone} after lunch.",
    "Send the documents to {email} please.",
    "My name is {name} and my number is {phone}.",
    "{name} asked for a new card.",
    "Customer was upset about the delay, no further action.",
    "Forwarded to {email}; waiting for an answer.",
    "No answer on {phone}, left a message.",
];
pub const NOTES_KR: &[&str] = &[
    "{name} 고객님 연락처 {phone} 로 재연락 요청",
    "자동이체 {name}",
    "배송지 변경 요청, {phone}",
    "문의 내용 확인 후 안내 완료",
    "{name} 님 방문 예정",
];
