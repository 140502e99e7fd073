//! What columns are called: English, Korean, and the abbreviations of both.
//!
//! Extend these lists when a column is missed; `tests/scan` says what the change does to others.

use super::kind::Kind;

/// Kind, how much the name alone says, and the names, in words as [`super::tokens::words`] parts them. `@person` is a word
/// of [`PEOPLE`]. A pattern may stand anywhere; what follows it must be [`NEUTRAL`]. The longest pattern decides. Without a kind: a
/// name that is of nobody.
pub(super) const PATTERNS: &[(Option<Kind>, f32, &str)] = &[
    (
        Some(Kind::Email),
        0.9,
        "email,e mail,email addr,email address,mail addr,mail address,eml,eml addr,eml adres,\
        email adres,email adr,mail,mail to,to addr,from addr,reply to,email id",
    ),
    (
        Some(Kind::Phone),
        0.9,
        "phone,telephone,tel,telno,tel no,mobile,mobile no,cell,cellphone,cell phone,hp,hp no,hpno,\
        handphone,fax,fax no,faxno,msisdn,mbtlnum,mblno,mbl no,mbl telno,mbl,moblphon,mobile phone,phone no,phone number,\
        contact no,contact number,contact tel,whatsapp,sms no,telephone number,ctnt no,cttpc,cel no,clphn,mphon no,\
        mphone,tlno,fxno,cntct no,cnpl,tel num,to number,caller id,dialed number",
    ),
    (
        Some(Kind::PersonName),
        0.85,
        "first name,firstname,fname,last name,lname,surname,middle name,mname,maiden name,given name,\
        family name,full name,fullname,preferred name,flnm,korn flnm,eng flnm,nickname,nick name,legal name,birth name,\
        @person name,@person nm,@person eng nm,@person kor nm,@person full name,@person fullname,@person flnm,forename,\
        patronymic,name first,name last,first nm,last nm,author name,display name,account holder,card holder,cardholder,\
        holder name,cc owner,name on card,policyholder,policy holder,insured,insured name,beneficiary,next of kin,\
        mother name,father name,spouse name,emergency contact,contact person,contact name,salesperson name,real name,\
        realname,signatory,kname,ename,han name,eng name,kor nm,dpstr nm,name kana,holder,ceo nm,ceo name,ceo,rptr nm",
    ),
    (
        Some(Kind::PersonName),
        0.55,
        "author,composer,reviewer,recipient,insured person,guardian,physician,surgeon,tenant name,adjuster,\
        payee,payer,payor,drawer,signer,attendee,nominee,passenger,consignee,witness,claimant",
    ),
    (
        Some(Kind::BirthDate),
        0.95,
        "dob,birth date,birthdate,birthday,date of birth,birth dt,birth ymd,birthdt,brdt,brth dt,brth ymd,\
        brthdy,born on,born,birth day,bday,birth,birth yymd,brthdt,birth year,year of birth,born at,birth de,brthymd",
    ),
    (
        Some(Kind::BirthPlace),
        0.8,
        "birth place,birthplace,place of birth,city of birth,country of birth",
    ),
    (
        Some(Kind::DeathDate),
        0.85,
        "death date,date of death,deceased date,deceased at,died on,death dt",
    ),
    (
        Some(Kind::Gender),
        0.9,
        "gender,sex,sex cd,sex code,gender cd,gender code,gndr,gndr cd,sxds,sxdst,sxds cd,sexdstn,\
        sexdstn code,pronouns,sex dstn",
    ),
    (Some(Kind::Age), 0.7, "age,age years,patient age"),
    (
        Some(Kind::Nationality),
        0.8,
        "nationality,citizenship,ntnlty,ntlty,nation cd,nationality code",
    ),
    (
        Some(Kind::Special),
        0.8,
        "religion,ethnicity,ethnic group,race,marital status,marital,marital sttus,mrrg yn,sexual orientation,\
        political party,political affiliation,trade union,union member,union membership,criminal record,convictions,\
        military service,mltr srvc,caste,rlgn,veteran status,immigration status,visa status,children,dependents",
    ),
    (
        Some(Kind::Photo),
        0.7,
        "photo,photo url,avatar,avatar url,portrait,selfie,face image,profile image,profile picture,\
        profile photo,picture,mugshot,signature image,profile pic,fingerprint image,headshot",
    ),
    (
        Some(Kind::Profile),
        0.6,
        "profile,personal info,personal data,owner profile,pii,demographics",
    ),
    (
        Some(Kind::Messenger),
        0.75,
        "skype,telegram,kakao,kakao id,line id,wechat,weixin,facebook,twitter,instagram,linkedin,slack handle,\
        slack id,discord,discord id,handle,messenger,linkedin url,github handle,facebook id,twitter handle,sns id",
    ),
    (
        Some(Kind::Login),
        0.85,
        "login,login id,login name,username,user name,userid,lgn id,lgnid,logon id,account name,screen name,\
        user login,login username,remote user,db user,samaccountname,upn,mber id,member login,principal name,signin name",
    ),
    (Some(Kind::Login), 0.4, "user id,member id,usr id,mem id,nicename,user nicename"),
    (
        Some(Kind::Address),
        0.9,
        "address,addr,adres,adr,addr line,address line,street,street address,street name,daddr,dtl addr,detail addr,\
        detail address,detail adres,bas addr,road addr,road nm addr,lotno addr,lotno,road address,jibun addr,home address,\
        mailing address,shipping address,billing address,postal address,residence,residential address,dlvr addr,dlvry addr,\
        house no,house number,apartment,apt no,rn addr,location address,delivery address,loss location,adres dtl",
    ),
    (
        Some(Kind::Postcode),
        0.9,
        "zip,zip code,zip cd,zipcode,postal code,postcode,post code,post no,post cd,plz,zip no,zone code,postal,\
        postal cd,zipno,post number",
    ),
    (
        Some(Kind::Area),
        0.6,
        "city,town,district,suburb,neighborhood,village,city village,municipality,locality,sigungu,sgg nm,emd nm,\
        mailing city,billing city,home city,ship city,location",
    ),
    (
        Some(Kind::Coordinates),
        0.85,
        "latitude,longitude,lat,lon,lng,lat lng,latlng,geo,geo point,geolocation,gps,coordinates,coords,geom,\
        gps lat,gps lon,lttd,lgtd,geo location",
    ),
    (
        Some(Kind::NationalId),
        0.95,
        "rrn,rrno,jumin,jumin no,juminno,jumin num,ihidnum,ssn,ssn no,social security number,social security no,\
        national id,national identity,national id no,nin,nino,ni number,national insurance number,rlnm cnfm no,resident no,\
        resident id,resident number,resident registration number,frgnr reg no,frgnr no,alien no,alien registration no,cpf,curp,\
        nric,aadhaar,aadhar,personnummer,bsn,pesel,dni,nif,codice fiscale,identification id,identity number,identity no,\
        id card no,id card number,id number,citizen id,civil id,rgno,rsdnt no,rsno,my number,hkid,psn no,resregno,nat id,\
        identification number,social security,sin no,emirates id",
    ),
    (
        Some(Kind::Passport),
        0.95,
        "passport,passport no,passport number,passport id,pspt,pspt no,psptno,passportno,passport num",
    ),
    (
        Some(Kind::DriverLicense),
        0.92,
        "driver license,drivers license,driver licence,driving licence,drivers licence,driving license,\
        driver license no,drvr lcns no,drvr lic no,license number driver,drv lic no,dl number,dl no,driver lic,drvlicno",
    ),
    (
        Some(Kind::TaxId),
        0.85,
        "tax id,tax ids,taxid,tin,taxvat,vat,vat id,vat no,vat number,tax number,tax no,itin,steuer id,tax code personal,\
        steuernummer",
    ),
    (
        Some(Kind::BusinessId),
        0.75,
        "biz reg no,biz no,bizno,bizrno,brno business,brn,business registration number,business no,corp reg no,\
        ein,saupja no,bzmn reg no,bizr no,brno",
    ),
    (
        Some(Kind::Vehicle),
        0.85,
        "plate,plate no,plate number,license plate,licence plate,number plate,car no,vehicle no,vhcl no,vhrno,\
        carno,vin,vehicle number,vehicle registration,vhcle no,car number",
    ),
    (
        Some(Kind::Card),
        0.92,
        "card no,card number,card num,cardno,cardnum,cc number,cc no,cc num,credit card,credit card no,\
        credit card number,pan,crd no,card pan,debit card number,cc number enc,card last 4,card last,cc last 4,last 4,card digits,\
        last four,cc last,card token,card fingerprint,ccnum,card bin,crdno,payment card",
    ),
    (
        Some(Kind::CardExpiry),
        0.8,
        "card expiry,card exp,exp month,exp year,expiry month,expiry year,cc exp,cc exp month,cc exp year,\
        card vld ym,card vld,card expiration,card expiry date,vld ym,card expires",
    ),
    (
        Some(Kind::CardCode),
        0.95,
        "cvv,cvc,cvv 2,cvc no,cvv 2 no,card code,cid code,security code card,cvvno,cvcno",
    ),
    (Some(Kind::Iban), 0.95, "iban,iban no,iban number"),
    (
        Some(Kind::Account),
        0.88,
        "acct no,account no,account number,acctno,acc no,acc number,acnt no,acnut no,actno,acntno,bank account,\
        bank account no,bank account number,bank acc,bank acct,bank acct no,routing number,routing no,sort code,bic,swift,\
        swift code,bacnt no,bank acnt no,stl acct no,cntr acct no,vr acct no,virtual account,account num,acct num,acct number,\
        aba,bsb,clabe,iban or account,acno,acct",
    ),
    (
        Some(Kind::Salary),
        0.9,
        "salary,base salary,wage,wages,income,annual income,monthly income,incm amt,anl incm amt,pay rate,\
        base pay,base pay amt,hourly rate,compensation,payroll amount,gross pay,net pay,sal amt,salary amt,bonus amount,pay amt,\
        annual salary,wage amt,bonus,pension amt,sal",
    ),
    (
        Some(Kind::Balance),
        0.8,
        "balance,bal amt,bal,account balance,current balance,available balance,jan amt,net worth,assets amt",
    ),
    (
        Some(Kind::Credit),
        0.85,
        "credit score,credit rating,fico,cb scr,crdt scr,credit grade,risk score,crdt grd,cb score,credit limit",
    ),
    (
        Some(Kind::Health),
        0.82,
        "diagnosis,diagnosis code,diagnosis name,diag cd,diag nm,icd,icd code,icd 10,blood type,blood group,bld type,\
        allergy,allergies,allergen,medication,prescription,drug name,symptom,symptoms,disability,disability status,treatment,\
        medical history,medical record,cause of death,pregnant,is pregnant,smoker,is smoker,lab result,test result,rslt val,\
        dsblty,dsblty grd,dsblty grade,vaccination,immunization,chief complaint,dx,dx code,hiv status,dosage,dosing instructions,\
        diagnosis text,injury description,injury,disease,disease cd,dss cd,dss nm,dgns cd,dgns nm,is dead,dead,deceased,mental health,blood pressure,bmi",
    ),
    (
        Some(Kind::Password),
        0.95,
        "password,passwd,pass,pwd,pw,pswd,passphrase,passcode,password hash,pw hash,passwd hash,hashed password,\
        encrypted password,password digest,password encrypted,pin,pin code,pin no,user pass,login pw,secret answer,\
        security answer,password hint,password cnsr,secret question,security question,password salt,pass hash,acct pswd,\
        pwd hash,login pwd,user pw,secret data,password reminder,pin hash",
    ),
    (
        Some(Kind::Token),
        0.88,
        "token,access token,refresh token,api token,api key,apikey,secret,client secret,secret key,private key,\
        auth token,session token,session key,bearer,authorization,cookie,cookies,webhook secret,otp secret,totp secret,mfa secret,\
        push token,fcm token,apns token,device token,reset token,rp token,reset password token,confirmation token,activation key,\
        activation code,recovery code,recovery codes,backup codes,otp backup codes,verification code,auth code,otp,otp code,\
        encryption key,signing key,credentials,credential,private pem,token digest,token hash,csrf token,session secret,signup token,\
        invite token,invitation token,id token,certificate key,ssh key,license key,access key,auth key,user activation key,key secret,\
        unlock token,feed token,verifier,nonce secret,jwt,x api key",
    ),
    (Some(Kind::Token), 0.45, "session id,sid,sess id,session data,fingerprint"),
    (
        Some(Kind::Ip),
        0.92,
        "ip,ip addr,ip address,ipaddr,ipaddress,ip adres,client ip,remote ip,remote addr,client addr,x forwarded for,\
        forwarded for,last login ip,sign in ip,host ip,source ip,src ip,dst ip,ip v 4,ip v 6,conn ip,cntn ip,login ip,ipadr,user ip,\
        reg ip,peer addr,remote address",
    ),
    (
        Some(Kind::Url),
        0.55,
        "url,uri,link,website,web site,homepage,home page,referer,referrer,blog,page url,landing page,hmpg",
    ),
    (
        Some(Kind::Device),
        0.85,
        "mac,mac addr,mac address,macaddr,device id,imei,imsi,udid,idfa,gaid,adid,advertising id,android id,\
        device identifier,serial no device,meid,iccid,device uuid,device fingerprint,ssid,bssid,visitor id device",
    ),
    (
        Some(Kind::Agent),
        0.85,
        "user agent,useragent,ua,browser,ua string,http user agent,comment agent",
    ),
    (
        Some(Kind::Text),
        0.8,
        "note,notes,memo,comment,comments,remark,remarks,rmk,rmrk,rmks,message,body,msg body,feedback,customer note,\
        free text,freetext,complaint,transcript,chat,bio,about me,resume text,cover letter,narrative,message body,mail body,\
        comment text,answer text,value text,cn,etc cn,dlvr memo,cnslt cn,dscsn cn,msg cn,cvlcpt cn,rm,sms text,email body,notice cn,\
        observation,statement text,reason text,termination reason,comment content,reviewer comments,case notes,inquiry,special request,\
        special instructions,instructions,delivery instructions",
    ),
    (
        Some(Kind::Text),
        0.45,
        "description,desc,subject,content,contents,text,details,reason,summary,html,post content,query string,\
        ttl,log line,last error,error message,stack trace,question,answer",
    ),
    // What is of nobody, though its last word would say so.
    (
        None,
        0.9,
        "product name,prod name,prdt nm,prd nm,item name,item nm,goods nm,file name,file nm,filename,company name,org name,\
        organization name,organisation name,corp nm,co nm,cmpny nm,dept nm,dept name,department name,bank nm,bank name,brand name,\
        category name,ctgr nm,menu nm,role name,role nm,group name,grp nm,table name,column name,field name,event name,\
        queue name,job name,host name,hostname,domain name,schema name,class name,tag name,cd nm,code nm,code name,store name,\
        shop name,branch name,brnch nm,project name,task name,plan name,status name,type name,country name,state name,\
        region name,system name,sys nm,pgm nm,prgrm nm,bbs nm,board nm,vendor nm,vendor name,supplier name,jikwi nm,position nm,\
        thread name,function name,app name,application name,service name,prcs dept nm,bzenty nm,inst nm,course name,school name,\
        hospital name,hotel name,room name,campaign name,template name,report name,metric name,key name,display name lang,\
        model name,device name,variable name,index name,constraint name,trigger name,filter name,attribute name,stage name,\
        unit name,currency name,language name,payment method title,warehouse name,carrier name",
    ),
    (
        None,
        0.9,
        "mail type,address type,address id,email template,mail template,email subject,postal service,\
        city id,ip version,account id,account type,card type,card brand,cc type,card cd,car type,car model,web address type,\
        page,message id,message type,comment id,text id,note id,token type,password policy,ssl required,key id,sort key,\
        primary key,foreign key,public key,key name,url key,cache key,routing key,partition key,object key,birth country,race id,\
        body type,tax class,tax rate,tax amount,balance type,link type,login count,sign in count,\
        address count,phone type,phone code,area code,country code,lang,locale,postal zone,service address code,cookie consent,\
        job title,title,priority,street type,product description,item description,memory address",
    ),
];

/// What may follow a pattern without making it something else, and what `no`, `1` or `primary` are good for before one.
pub(super) const NEUTRAL: &str = "no num number nr value val text txt str string enc encrypted encrypt hash hashed masked raw normalized \
    normalised sanitized canonical primary secondary main old new home work office 1 2 3 4 5 6 kr en eng kor korean english full line cn \
    cd1 plain clear original orig orginal current last first list constraint lower upper display data info dtl detail id2 md5 sha1 sha256 b64 \
    formatted e164 intl local unconfirmed backup alt alternate alternative other array json temp tmp copy digest code1 key1 pub private yn2 \
    personal business company self";

/// Words for people, in front of `name` and in names of tables.
pub(super) const PEOPLE: &str = "customer cust client user usr member mber mem employee emp staff patient ptnt owner person people contact recipient \
    rcvr receiver sender guardian author driver drvr student teacher doctor dr manager mgr applicant aplcnt guest visitor spouse father mother \
    parent child buyer seller beneficiary insured holder depositor dpstr physician nurse passenger subscriber participant respondent voter \
    tenant resident citizen worker agent representative rprsv ceo rep salesperson instructor professor attendee payee payer payor consignee \
    consignor shipper signer supervisor reviewer approver requester requestor assignee assistant candidate lead prospect individual partner \
    party personnel prsn psn chrg chrgr pic picr wrtr rgtr frst aplct cstmr cntct usernm acct account profile relative kin emergency witness \
    claimant policyholder adjuster composer actor artist director supplied cardholder shipping billing ship bill delivery dlvr rptr bnfc \
    insrd hldr acc usrs users customers employees members patients students persons contacts accounts owners guests players player clients \
    visitors passengers applicants subscribers leads prospects partners agents drivers teachers doctors parents authors individuals \
    profiles borrower lender donor patron trainee intern counterparty cntr";

/// Words that say nothing by themselves, so that names written together can be parted, and keys of documents printed.
pub(super) const FILLERS: &str = "is has the of to in on at by for and or id ids code cd type status state count date time day month year yn flag name nm \
    title order item product price amount total qty quantity currency country created updated deleted modified version group role plan rate \
    policy config settings setting option options meta metadata attributes items lines rows result results event events action request response \
    payload context session device app job industry website model serial size length width height weight color created updated at ref reference \
    shipping billing delivery contact user customer account store theme beta limits prefs preferences lang language tags tag emails phones \
    addresses children parent source target channel campaign level score position rank line 1 2 3 bank pol claim policy registered reg last first \
    middle family given full nick display emergency mail e sub";

/// Hangul names by their end: the longest that fits decides.
pub(super) const HANGUL: &[(Option<Kind>, f32, &str)] = &[
    (
        Some(Kind::PersonName),
        0.9,
        "성명,이름,예금주,예금주명,대표자,대표자명,담당자,담당자명,보호자,보호자명,닉네임,별명,수취인,수령인,받는사람,\
        보내는사람,신청인,신청자,작성자명,등록자명,한글명,영문명,영문성명,한글성명,소유자명,소유주,세대주,배우자명,의사명,간호사명,피보험자,계약자,수익자,\
        입금자,입금자명,송금인,가입자,보고자명,고객명,환자명,회원명,사원명,직원명,사용자명,학생명,교사명,교수명,강사명,기사명,법정대리인,추천인",
    ),
    (
        Some(Kind::NationalId),
        0.97,
        "주민등록번호,주민번호,실명확인번호,실명번호,외국인등록번호,외국인번호,주민등록,거소신고번호,고유식별번호,국내거소신고번호",
    ),
    (
        Some(Kind::Phone),
        0.92,
        "전화번호,전화,휴대폰,휴대폰번호,휴대전화,휴대전화번호,핸드폰,핸드폰번호,이동전화,이동전화번호,연락처,팩스,팩스번호,\
        자택전화,직장전화,무선번호,모바일,모바일번호,비상연락처,지역번호",
    ),
    (Some(Kind::Email), 0.92, "이메일,이메일주소,메일주소,전자우편,전자우편주소,메일,전자메일"),
    (
        Some(Kind::Address),
        0.9,
        "주소,상세주소,기본주소,도로명주소,지번주소,배송지,배송지주소,거주지,사용본거지,자택주소,직장주소,본적,등록기준지,거소,소재지",
    ),
    (Some(Kind::Postcode), 0.92, "우편번호,우편"),
    (Some(Kind::BirthDate), 0.95, "생년월일,생일,출생일,출생일자,생년,출생년도,생년월"),
    (Some(Kind::Gender), 0.92, "성별,성별코드,성별구분"),
    (Some(Kind::Age), 0.75, "나이,연령"),
    (Some(Kind::Nationality), 0.8, "국적,국적코드"),
    (
        Some(Kind::Special),
        0.85,
        "종교,결혼여부,혼인여부,혼인상태,병역,병역사항,정치성향,노조가입여부,범죄경력,전과,장애여부,다문화여부",
    ),
    (
        Some(Kind::Account),
        0.92,
        "계좌번호,계좌,통장번호,가상계좌,가상계좌번호,결제계좌번호,환불계좌",
    ),
    (Some(Kind::Card), 0.94, "카드번호,신용카드번호,체크카드번호,결제카드번호"),
    (Some(Kind::CardExpiry), 0.85, "카드유효기간,유효년월,카드유효년월"),
    (Some(Kind::CardCode), 0.9, "카드검증번호,보안코드"),
    (Some(Kind::Passport), 0.95, "여권번호,여권"),
    (Some(Kind::DriverLicense), 0.95, "운전면허번호,면허번호,운전면허"),
    (Some(Kind::BusinessId), 0.8, "사업자등록번호,사업자번호,법인등록번호,법인번호"),
    (Some(Kind::Vehicle), 0.9, "차량번호,차량등록번호,자동차등록번호,차대번호,자동차번호"),
    (
        Some(Kind::Password),
        0.95,
        "비밀번호,패스워드,암호,비번,비밀번호힌트,비밀번호정답,결제비밀번호,핀번호",
    ),
    (Some(Kind::Token), 0.85, "인증키,토큰,비밀키,개인키,인증번호,접근키"),
    (Some(Kind::Login), 0.85, "아이디,로그인아이디,회원아이디,사용자아이디,로그인명,계정명"),
    (
        Some(Kind::Salary),
        0.9,
        "급여,연봉,월급,소득,연소득,소득금액,연소득금액,임금,기본급,상여금,보수월액,수당",
    ),
    (Some(Kind::Balance), 0.85, "잔액,잔고,예수금,자산총액"),
    (Some(Kind::Credit), 0.85, "신용점수,신용등급,신용평점"),
    (
        Some(Kind::Health),
        0.9,
        "진단명,진단코드,상병코드,상병명,병명,혈액형,장애등급,장애유형,복용약,처방,처방내용,병력,과거력,알레르기,증상,검사결과,질병코드,\
        수술명,투약,체중,신장,결과값,진료내용",
    ),
    (Some(Kind::Ip), 0.92, "아이피,아이피주소,접속아이피"),
    (Some(Kind::Device), 0.8, "맥주소,단말번호,기기번호,단말기번호,단말식별번호"),
    (Some(Kind::Photo), 0.75, "사진,증명사진,얼굴사진,지문"),
    (Some(Kind::Area), 0.6, "시군구,읍면동,거주지역,행정동,법정동"),
    (Some(Kind::Coordinates), 0.85, "위도,경도,좌표"),
    (
        Some(Kind::Text),
        0.8,
        "비고,메모,내용,적요,의견,상담내용,문의내용,요청사항,특이사항,민원내용,소견,메시지,후기,사유,참고사항,배송메모,답변",
    ),
    (
        None,
        0.9,
        "상품명,회사명,부서명,파일명,은행명,기관명,업체명,상호명,제조사명,모델명,코드명,메뉴명,품목명,품명,과목명,학교명,병원명,지점명,법인명,\
        아이피여부,고유아이디,게시판명,그룹명,권한명,국가명,지역명,단체명,거래처명",
    ),
];
