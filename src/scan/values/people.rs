//! Names of people and addresses, by words that are common in them. No list is complete: a share of a column is enough.

use super::super::people_words::{GIVEN, HANGUL_SURNAMES, STREETS, SURNAMES};
use super::Sure;

fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|each| each == word)
}

/// A surname and one or two syllables more.
pub(super) fn is_hangul_name(value: &str) -> bool {
    let letters: Vec<char> = value.chars().filter(|c| *c != ' ').collect();
    if !letters.iter().all(|c| ('가'..='힣').contains(c)) {
        return false;
    }
    let text: String = letters.iter().collect();
    let begins = |syllables: usize| {
        let surname: String = letters.iter().take(syllables).collect();
        has(HANGUL_SURNAMES, &surname)
    };
    match letters.len() {
        2 | 3 => begins(1) && !has(NOT_NAMES, &text),
        4 => begins(2),
        _ => false,
    }
}

/// Words of three syllables that begin like a surname.
const NOT_NAMES: &str = "서울 이용 전기 주문 정상 완료 진행 신규 고객 한국 정보 전화 주소 서비스 신청 이메일 지급 정지 유지 안내 전체 \
    기타 문의 조회 배송 반품 송금 노트 공지 변경 사원 대리 과장 차장 부장 이사 전무 상무 임원 주임 정기 강남 부산 제주 안과 \
    내과 외과 성공 실패 대기 양호 보통 우수 현금 카드 계좌 인사 총무 영업 개발 기획";

/// Surely: with a name that many have. Perhaps: words that begin with a capital and nothing else.
pub(super) fn name(value: &str) -> Option<Sure> {
    if is_hangul_name(value) {
        return Some(Sure::Yes);
    }
    let words: Vec<&str> = value
        .split([' ', ',', '.', '-'])
        .map(|word| word.trim_matches(['\'', '"']))
        .filter(|word| !word.is_empty())
        .collect();
    let is_word = |word: &&str| {
        word.chars().next().is_some_and(char::is_uppercase)
            && word.chars().all(|c| c.is_alphabetic() || c == '\'' || c == '’')
    };
    if words.is_empty() || words.len() > 5 || !words.iter().all(is_word) {
        return None;
    }
    let is_known = |word: &&str| {
        let word = word.to_ascii_lowercase();
        has(GIVEN, &word) || has(SURNAMES, &word)
    };
    Some(if words.iter().any(is_known) { Sure::Yes } else { Sure::Maybe })
}

/// A number and a word for a street; in Korea a district and a road.
pub(super) fn address(value: &str) -> Option<Sure> {
    let has_digit = value.chars().any(|c| c.is_ascii_digit());
    let words: Vec<&str> = value.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if !has_digit || words.len() < 2 || words.len() > 16 {
        return None;
    }
    let ends = |ends: &[&str]| {
        words.iter().any(|word| {
            let hangul = word.chars().any(|c| ('가'..='힣').contains(&c));
            hangul
                && ends.iter().any(|end| {
                    word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').ends_with(end)
                })
        })
    };
    let area = ends(&["특별시", "광역시", "자치도", "자치시", "시", "군", "구", "도"]);
    let road = ends(&["로", "길", "동", "읍", "면", "리", "가", "번길"]);
    if area && road {
        return Some(Sure::Yes);
    }
    if is_street(value) {
        return Some(Sure::Yes);
    }
    Some(Sure::Maybe)
}

/// Something that ends in a word for a street, and a number.
fn is_street(value: &str) -> bool {
    let words: Vec<String> = value
        .split([' ', ','])
        .map(|word| word.trim_matches('.').chars().map(|c| c.to_ascii_lowercase()).collect())
        .collect();
    let is_number =
        |word: &String| word.len() <= 6 && word.starts_with(|c: char| c.is_ascii_digit());
    let joined = [
        "straße", "strasse", "str", "weg", "allee", "platz", "gasse", "straat", "laan", "vej",
        "gatan",
    ];
    let is_road = |word: &String| {
        has(STREETS, word)
            || (word.chars().count() > 5 && joined.iter().any(|end| word.ends_with(end)))
    };
    words.len() <= 12 && words.iter().any(is_number) && words.iter().any(is_road)
}

pub(super) fn is_gender(value: &str) -> bool {
    const GENDERS: [&str; 20] = [
        "m",
        "f",
        "male",
        "female",
        "man",
        "woman",
        "other",
        "unknown",
        "u",
        "x",
        "non-binary",
        "nonbinary",
        "diverse",
        "d",
        "w",
        "남",
        "여",
        "남자",
        "여자",
        "남성",
    ];
    let value: String = value.chars().map(|c| c.to_ascii_lowercase()).collect();
    GENDERS.contains(&value.as_str())
        || value == "여성"
        || matches!(value.as_str(), "0" | "1" | "2" | "9")
}

pub(super) fn is_blood_type(value: &str) -> bool {
    let value = value.trim_end_matches('형').trim_end_matches(['+', '-']);
    matches!(value, "A" | "B" | "O" | "AB" | "Rh" | "A Rh" | "B Rh" | "O Rh" | "AB Rh")
}

/// ICD-10: a letter, two digits, a point, more digits.
pub(super) fn is_diagnosis_code(value: &str) -> bool {
    let (head, tail) = value.split_once('.').unwrap_or((value, ""));
    let mut letters = head.bytes();
    letters.next().is_some_and(|letter| letter.is_ascii_uppercase())
        && letters.len() == 2
        && letters.all(|b| b.is_ascii_digit())
        && tail.len() <= 4
        && tail.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_none() {
        for good in ["김철수", "남궁민수", "이 진", "Maria Rossi", "SMITH, JOHN", "O'Brien Patrick"]
        {
            assert_eq!(name(good), Some(Sure::Yes), "{good}");
        }
        for bad in ["크나다", "maria", "Order 66", "x", "", "국민은행"] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses() {
        for good in [
            "12 Maple Street",
            "Hauptstraße 5",
            "서울특별시 강남구 테헤란로 152",
            "경기도 성남시 분당구 판교역로 4",
        ] {
            assert_eq!(address(good), Some(Sure::Yes), "{good}");
        }
        for bad in ["Maple Street", "12", ""] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }
}
