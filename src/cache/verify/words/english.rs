//! Words by which English is recognised: common ones, without those that another language has too.

use std::collections::HashSet;
use std::sync::LazyLock;

/// A word that hardly any text in another language has.
pub(crate) fn is_english(word: &str) -> bool {
    ENGLISH.contains(word) || word.ends_with("n't") || word.ends_with("'s")
}

/// A common English word that is a word of other languages as well.
pub(crate) fn is_shared(word: &str) -> bool {
    SHARED.contains(word)
}

#[rustfmt::skip]
static SHARED: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    "fare november september august april winter october december \
     status dollar dollars par um will die war hat den pour ton a i an as am at be by do go he in is it la me my no of on or per plus pro so to us via was \
    we all also come for has her man name not one our over see some son that but up final \
    original total local real general social hotel taxi data order test video mail email online \
    web post best top stop start bank park film album format las los".split_whitespace().collect()
});

#[rustfmt::skip]
static ENGLISH: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    "able about above account accounting accounts acid acquaintance activate actress actually add \
    added adding advantages after afternoon again against aircraft airfare airline airlines \
    airport airports alarm alarms allow allows already although always and animal another answer \
    answers any anybody anyone anything anywhere apartment apartments apply appointment are \
    around array arrays arrival arrive arriving article asked asking asks assistance assists \
    attended author authored available awarded away baby back bad bag balance bathroom bathrooms \
    became because become bedroom bedrooms been before begin beginning behind being below better \
    between big biggest bill bills birthday black blood blue board body book books border \
    bordering borders born both bottom bought box boy branch brand breakfast bring broken \
    brother brown bug build business buy calculate calendar call called can can't cancel \
    canceled cancelled cancelling cancer cannot capital's car card cards cars cash caused change \
    changed changing character characters charge charged cheap cheapest check checking child \
    children choose church cite cited cities city class close closer closest code code's cold \
    college color colour commit common company compare complaint computer connected contacting \
    convert cook cooking cost could countries country create created current currently customer \
    cut dance dating daughter day days deactivate dead death debug declined delete deleting \
    delivering delivers delivery denied depart departing departure deploy describe dice did died \
    difference different dinner directed discount disease doctor does dog dogs doing don't done \
    door down download draw dream drink drive during each earliest earth east eat edit editing \
    eight either else email's employed employee employees end ending energy engineer english \
    enough error error's essay even evening event events every everyone everything example \
    examples exist expect expected expensive explain extra eyes face fact fall family famous \
    fares farm farther fast fastest father february fee feel fees feet female few field fight \
    file fill find finger fire first fish five fix flight flights floor flower fly flying follow \
    food foreign forgot formulating fouls four free friday friend friends from function \
    function's functions fund funding funds funny further future game games gap gay get gets \
    getting girl give given goals goes going gold gone gonna good got government grammar grams \
    great green ground group grow guide guides gun had hair hand happen happened happy hard have \
    haven't having head healing health hear heart heat heavy hello help helpful here hers hey \
    high highest himself hired his history home hot hours house housing how however human \
    husband i'd i'll i'm i've ice idea ideas if illegal important improve increase indeed info \
    inform information inside install installing instead interest into invoice involved island \
    issue issues item item's items its itself january job jobs join joke jokes july junction \
    june just keep keeps keyword kids kill kind king kitchen kitchens know known lake land \
    landing language large largest last latest law lawyer lead leader learn least leave leaving \
    left less let lets letter level library life light lights like likely limits list lists live \
    lives living loan loans locate located location long longest look loop lose lost love low \
    lowest lunch machine made magazine major make makes making male manager managers many map \
    march market married mass math may maybe meal mean meaning means meet meeting meetings \
    member men merge method middle might mileage milk mind mine minute minutes missing mode \
    modify monday money month monthly months more morning most mother mountain mouth movie \
    movies much music must myself names near nearest need needed needs neighborhood \
    neighbourhood neither never new newest news newsletter next night nobody none nonstop nor \
    north nothing now number numbers ocean off office often oil old oldest once only onto open \
    opened operator ordered orders other others ours out outdoor outside own owned owner owns \
    page paid pain paint paper paragraph paraphrase parents parking parse parts password past \
    pay paying payment payments people pet pets phone place places plan planet plants play \
    played player players please plot poem points poor population position possible posted power \
    prepare president price prices private problems processed processing product products \
    program project properties property provide public publication published purchase purchased \
    purchases purchasing put quality queries query question questions quite race rain rate rated \
    rather read reading really reason rebate rebounds received recipe recommend recommendation \
    recover red reflected refund refunds register registration reimburse reimbursement reinburse \
    relationship remember reminder remove rent repeat replace replaced report request requested \
    require required reservation reservations reset responding restaurant restaurants restore \
    retrieve return returns review review's reviews rewrite rich richest right river rivers road \
    rock roll room round run running safe said salary sale same saturday say schedule school \
    science scored sea season seating second security seem seen senators send send's sent \
    sentence sentences serve served server's serves serving set seven shall share she ship \
    shipment shipments shipping shoes shop short shortest shot should should've show shows side \
    sign since sing singer sister six size skin sky sleep slowest small smallest snow somebody \
    someone something sometimes song songs soon sort sorting sound source south space speak \
    speed spend spoken spring square stand standard standards star stars started starting state \
    statement states stay steals steps still stock stopover store story strange street string \
    strings strong student students study subscription such sugar suggest suggestion suggestions \
    summarize summary summer sunday support supported sweet switch symbol symptoms system's \
    table take taken takeout takes taking talk tallest tax teach teacher team tell telling \
    temperature ten test's text than thank thanks the their theirs them themselves then theory \
    there these they thing things think third this those though three through thursday ticket \
    tickets tied timer timers tips tired tires today together tomorrow tonight too took tooth \
    top-up toward tower town track tracking traffic train transaction transactions transfer \
    transferred translate transportation travel traveling travelling treatment tree tried tries \
    trip trouble true try trying tuesday turn turnovers turns tutorial two type under understand \
    units university until untrue update updating upgrade upload upon usa use used user using \
    vacation variable variables vehicle venue venues verification very video's view voice vs \
    wait waiter waiting walk wall wanna want wants war's washington watch water way we'd we'll \
    we're we've wear weather website wedding wednesday week weekend weekly weeks weight well \
    went were west what whats when where whether which while whisper white who whom whose why \
    wife win wind window wine winner with within without woman women won wondering word words \
    work worked worker working works world worst worth would write written wrong year years yes \
    yesterday yet you you'd you'll you're you've young youngest your yours yourself"
        .split_whitespace().collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_word_is_no_sign_of_english() {
        let both: Vec<&&str> = SHARED.intersection(&ENGLISH).collect();
        assert!(both.is_empty(), "{both:?}");
    }
}
