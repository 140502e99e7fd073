//! Words that names of people and addresses are made of. Common ones: they need not be complete.

/// Korean surnames (Statistics Korea, 2015: these are over 99 % of the people).
pub(super) const HANGUL_SURNAMES: &str = "김 이 박 최 정 강 조 윤 장 임 한 오 서 신 권 황 안 송 전 홍 유 고 문 양 손 배 백 허 남 심 노 하 \
    곽 성 차 주 우 구 민 류 나 진 지 엄 채 원 천 방 공 현 함 변 염 여 추 도 소 석 선 설 마 길 연 위 표 명 기 반 라 왕 금 옥 육 인 맹 제 모 탁 \
    국 어 은 편 용 예 봉 경 사 부 가 복 태 목 형 계 피 두 감 음 빈 동 온 호 범 좌 팽 승 간 상 시 갈 단 남궁 황보 제갈 사공 선우 서문 독고 동방";

/// Given names, in small letters.
pub(super) const GIVEN: &str = "james robert john michael david william richard joseph thomas christopher charles daniel matthew anthony mark donald \
    steven andrew paul joshua kenneth kevin brian george timothy ronald jason edward jeffrey ryan jacob gary nicholas eric jonathan stephen larry \
    justin scott brandon benjamin samuel gregory alexander patrick frank raymond jack dennis jerry tyler aaron jose adam nathan henry zachary \
    douglas peter kyle noah ethan jeremy walter keith roger terry austin sean gerald carl harold dylan arthur lawrence jordan jesse bryan \
    mary patricia jennifer linda elizabeth barbara susan jessica karen sarah lisa nancy sandra betty ashley emily kimberly margaret donna \
    michelle carol amanda melissa deborah stephanie rebecca laura helen sharon cynthia kathleen amy angela shirley brenda pamela emma anna \
    nicole samantha katherine christine debra rachel carolyn janet maria olivia heather diane julie joyce victoria ruth virginia lauren kelly \
    christina joan evelyn judith andrea hannah megan cheryl jacqueline martha madison teresa gloria sara janice ann kathryn abigail sophia \
    frances jean alice judy isabella julia grace amber denise danielle marilyn beverly charlotte natalie theresa diana brittany doris kayla \
    alexis lori marie liam oliver lucas mason logan elijah luca leo felix max paul lukas jonas leon finn elias ben luis hans klaus jurgen \
    wolfgang peter uwe stefan sabine monika ursula petra claudia heike anja katrin mia lena lea sophie clara amelie juan carlos luis miguel \
    javier antonio manuel francisco pedro diego mateo santiago carmen ana isabel lucia sofia elena pilar jean pierre michel jacques louis \
    nicolas francois camille chloe manon giuseppe giovanni marco francesco paolo giulia chiara mohammed muhammad ahmed ali omar hassan \
    ibrahim yusuf fatima aisha khadija zainab leila mehmet mustafa ayse emre wei ming li jing yan chen yuki haruto sakura kenji hiroshi \
    takashi akira priya rahul amit raj anil sunita deepak ravi neha pooja arjun ivan dmitri sergey alexei vladimir olga natalia anastasia \
    tatiana irina piotr pawel krzysztof andrzej katarzyna malgorzata agnieszka lars anders erik ingrid astrid freya sven bjorn joao paulo \
    rafael gabriel fernanda beatriz kofi kwame oluwaseun chinedu amina zanele thabo min ji hyun soo young";

/// Surnames, in small letters; those that are words of every day are left out.
pub(super) const SURNAMES: &str = "smith johnson williams jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson anderson \
    thomas taylor moore jackson martin lee perez thompson harris sanchez clark ramirez lewis robinson allen wright torres nguyen hill flores \
    adams nelson baker hall rivera campbell mitchell carter roberts gomez phillips evans turner diaz parker cruz edwards collins reyes stewart \
    morris morales murphy rogers gutierrez ortiz morgan cooper peterson bailey reed kelly howard ramos kim cox ward richardson watson brooks \
    chavez james bennett gray mendoza ruiz hughes alvarez castillo sanders patel myers ross foster jimenez muller schmidt schneider fischer \
    weber meyer wagner becker schulz hoffmann schafer koch bauer richter klein wolf schroder neumann schwarz zimmermann dubois dupont moreau \
    laurent lefebvre leroy roux fournier rossi russo ferrari esposito bianchi romano colombo ricci silva santos oliveira souza rodrigues \
    ferreira alves pereira lima gomes costa wang li zhang liu chen yang huang zhao wu zhou sato suzuki takahashi tanaka watanabe ito yamamoto \
    nakamura kobayashi kato singh kumar sharma gupta khan ahmed ali hussain malik shah petrov ivanov ivanova smirnov kuznetsov popov novak \
    kowalski nowak wisniewski hansen johansen olsen larsen andersen nielsen jensen pedersen andersson johansson karlsson nilsson eriksson \
    yilmaz kaya demir celik okafor mensah osei diallo traore tran pham le hoang park choi jung kang cho yoon jang lim shin kwon dijk jong berg \
    obrien o'brien oconnor o'connor murray walsh ryan byrne";

/// Words for streets, in small letters.
pub(super) const STREETS: &str = "street st avenue ave boulevard blvd road rd lane ln drive dr court ct way place pl square sq terrace parkway pkwy \
    circle cir highway hwy crescent close mews broadway rue chemin allée place via viale corso piazza calle avenida paseo plaza rua travessa \
    straße strasse str weg allee platz gasse ring ulica ul ulitsa apt suite unit floor fl";
