//! Words of the languages other than English that the verifier reads: German, French, Spanish,
//! Portuguese, Italian, Chinese and Japanese. They are asked of texts that are not English only, so
//! that *die*, *sin* or *once* may stand here; among themselves the languages need not be told apart.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

type Words = LazyLock<HashSet<&'static str>>;
type Table = LazyLock<HashMap<&'static str, &'static str>>;

/// A function word of one of the languages that are written with Latin letters.
pub(crate) fn is_function_word(word: &str) -> bool {
    FUNCTION_WORDS.contains(word)
}

/// An article: may be left out, but not be another one (*der See* is not *die See*).
pub(crate) fn is_article(word: &str) -> bool {
    ARTICLES.contains(word)
}

/// A function word, or a letter, of a language that uses Latin letters and that is not read.
pub(crate) fn is_of_an_unread_language(word: &str) -> bool {
    UNREAD.contains(word) || word.contains(|c| UNREAD_LETTERS.contains(c))
}

/// Turns a statement around. *Ne* is not among them: *pas* says it.
pub(crate) fn is_negation(word: &str) -> bool {
    NEGATIONS.contains(word)
}

pub(crate) fn number(word: &str) -> Option<&'static str> {
    NUMBERS.get(word).copied()
}

/// The unit that a word is a name of, under the name that English units have.
pub(crate) fn unit(word: &str) -> Option<&'static str> {
    UNITS.get(word).copied()
}

/// A week day, month, part of the day or day relative to today.
pub(crate) fn day(word: &str) -> Option<&str> {
    DAYS.get(word).copied()
}

pub(crate) fn are_antonyms(a: &str, b: &str) -> bool {
    ANTONYMS.contains(&(a, b)) || ANTONYMS.contains(&(b, a))
}

/// Courtesy that asks nothing: phrases, as words.
pub(crate) fn courtesies() -> &'static [Vec<&'static str>] {
    &COURTESIES
}

/// Phrases without meaning of their own, longest first.
pub(crate) const UNSPACED_COURTESIES: [&str; 26] = [
    "可以告诉我",
    "能告诉我",
    "请告诉我",
    "我想知道",
    "教えてください",
    "教えて下さい",
    "でしょうか",
    "告诉我",
    "教えて",
    "ください",
    "下さい",
    "请帮我",
    "帮我",
    "请问",
    "請問",
    "ですか",
    "ますか",
    "一下",
    "谢谢",
    "什么是",
    "是什么",
    "什么",
    "请",
    "吗",
    "呢",
    "です",
];

/// Each says *not*; longest first.
pub(crate) const UNSPACED_NEGATIONS: [&str; 11] =
    ["ません", "なかった", "ない", "なし", "没有", "没", "不", "無", "无", "未", "别"];

/// Each with the name it goes by; longest first where one contains another.
#[rustfmt::skip]
pub(crate) const UNSPACED_DAYS: [(&str, &str); 47] = [
    ("星期一", "monday"), ("星期二", "tuesday"), ("星期三", "wednesday"), ("星期四", "thursday"),
    ("星期五", "friday"), ("星期六", "saturday"), ("星期日", "sunday"), ("星期天", "sunday"),
    ("周一", "monday"), ("周二", "tuesday"), ("周三", "wednesday"), ("周四", "thursday"),
    ("周五", "friday"), ("周六", "saturday"), ("周日", "sunday"), ("礼拜一", "monday"),
    ("礼拜二", "tuesday"), ("礼拜三", "wednesday"), ("礼拜四", "thursday"), ("礼拜五", "friday"),
    ("礼拜六", "saturday"), ("礼拜天", "sunday"), ("月曜", "monday"), ("火曜", "tuesday"),
    ("水曜", "wednesday"), ("木曜", "thursday"), ("金曜", "friday"), ("土曜", "saturday"),
    ("日曜", "sunday"), ("今天", "today"), ("今日", "today"), ("明天", "tomorrow"),
    ("明日", "tomorrow"), ("昨天", "yesterday"), ("昨日", "yesterday"), ("后天", "day after"),
    ("前天", "day before"), ("早上", "morning"), ("上午", "morning"), ("午前", "morning"),
    ("下午", "afternoon"), ("午後", "afternoon"), ("晚上", "evening"), ("周末", "weekend"),
    ("週末", "weekend"), ("工作日", "weekday"), ("平日", "weekday"),
];

/// Of two words one each.
#[rustfmt::skip]
pub(crate) const UNSPACED_ANTONYMS: [(&str, &str); 32] = [
    ("增加", "减少"), ("打开", "关闭"), ("开启", "关闭"), ("启用", "禁用"), ("买", "卖"), ("最大", "最小"),
    ("最高", "最低"), ("最长", "最短"), ("最贵", "最便宜"), ("最好", "最差"), ("之前", "之后"), ("以前", "以后"),
    ("饭前", "饭后"), ("优点", "缺点"), ("左", "右"), ("上传", "下载"), ("导入", "导出"), ("男", "女"),
    ("到达", "出发"), ("存款", "取款"), ("進む", "戻る"), ("増や", "減ら"), ("有効", "無効"), ("開け", "閉め"),
    ("買", "売"), ("高い", "安い"), ("大きい", "小さい"), ("長い", "短い"), ("前", "後"), ("上げ", "下げ"),
    ("入れ", "出す"), ("メリット", "デメリット"),
];

/// Units of languages without spaces; longest first where one contains another.
#[rustfmt::skip]
pub(crate) const UNSPACED_UNITS: [(&str, &str); 38] = [
    ("公斤", "kg"), ("千克", "kg"), ("毫克", "mg"), ("克", "g"), ("斤", "jin"), ("公里", "km"),
    ("英里", "mile"), ("厘米", "cm"), ("毫米", "mm"), ("米", "m"), ("毫升", "ml"), ("升", "l"),
    ("美元", "dollar"), ("欧元", "euro"), ("日元", "yen"), ("元", "yuan"), ("摄氏", "celsius"),
    ("华氏", "fahrenheit"), ("小时", "hour"), ("分钟", "minute"), ("秒", "second"), ("天", "day"),
    ("个月", "month"), ("ヶ月", "month"), ("週間", "week"), ("年", "year"), ("時間", "hour"),
    ("分", "minute"), ("キログラム", "kg"), ("ミリグラム", "mg"), ("グラム", "g"), ("キロメートル", "km"),
    ("マイル", "mile"), ("メートル", "m"), ("リットル", "l"), ("ドル", "dollar"), ("ユーロ", "euro"), ("円", "yen"),
];

fn set(text: &'static str) -> HashSet<&'static str> {
    text.split_whitespace().collect()
}

/// `name: word word, name: word`; names of several words are joined by a full stop.
fn table(text: &'static str) -> HashMap<&'static str, &'static str> {
    let rows = text.split(',').filter_map(|row| row.split_once(':'));
    rows.flat_map(|(name, words)| words.split_whitespace().map(move |word| (word, name.trim())))
        .collect()
}

#[rustfmt::skip]
static FUNCTION_WORDS: Words = LazyLock::new(|| set(
    // German.
    "der die das den dem des ein eine einen einem einer eines ist sind war waren wird werden wurde \
     kann können könnte muss müssen soll sollte darf will hat habe haben hatte ich du er sie es wir \
     ihr mich mir dich dir ihm ihn uns euch mein meine meinen meinem meiner dein deine sein ihre \
     und oder aber nicht kein keine keinen wie wer wo wann warum wieso welche welcher welches wen \
     wem wieviel viel viele mit von für auf zu zum zur im am bei nach aus über unter ohne um vor \
     beim vom als wenn dass noch auch nur mehr bitte gibt man sich ob zwischen gegen durch bis \
     heißt macht kosten kostet coûte cuesta custa costa \
     le la les un une du de des et ou est sont était suis es être ai as avons avez ont je tu il elle \
     nous vous ils elles me te se mon ma mes ton ta tes son sa ses notre nos votre vos leur ne pas \
     que qui quoi où quand comment pourquoi quel quelle quels quelles combien avec pour par sur \
     dans en sans sous vers chez au aux ce cet cette ces y a-t-il est-ce peut peux puis faut fait \
     entre plus moins depuis il-y-a qu d l j n s c t m \
     el los las una unos unas y o es son está están estar ser soy del al con por para sin sobre \
     desde hasta hay lo su sus mi mis tu tus me te nos qué quién cuál cuáles cómo cuándo dónde \
     cuánto cuánta cuántos cuántas puedo puede pueden tengo tiene debo hacer más menos muy como si \
     se entre esta este \
     os um uma uns umas é são está ser ou e do da dos das no na nos nas ao à aos às em com sem para \
     por pelo pela que quem qual quais como quando onde quanto quantos quantas posso pode devo meu \
     minha meus minhas seu sua não mais menos eu ele ela você vocês isso este esta tem \
     il lo gli i uno una di del dello della dei degli delle al allo alla ai nel nella sul con per \
     tra fra da dal dalla che chi cosa come quando dove quanto quanta quanti quante quale quali \
     perché è sono ho ha hanno posso può devo mio mia miei mie tuo tua suo sua non più meno anche \
     se un ci si mi ti vi questo questa qualche sulla dalla alle nelle sulle nessun nessuna niente fa prima casa dell dall nell sull all quell \
     übersetze übersetzen schreibe schreib erkläre nenne gib traduis traduire écris explique donne \
     traduce escribe explica dame traduci scrivi spiega dammi traduza escreva explique frase satz \
     deutsch deutschen englisch englischen französisch französischen spanisch spanischen italienisch \
     italienischen anglais français espagnol allemand italien portugais inglés francés alemán español \
     italiano portugués inglese francese tedesco spagnolo portoghese inglês francês alemão espanhol \
     português"));

#[rustfmt::skip]
static ARTICLES: Words = LazyLock::new(|| set(
    "der die das ein eine le la les un une l el los las una unos unas o a os as um uma il lo gli i uno"));

#[rustfmt::skip]
static UNREAD: Words = LazyLock::new(|| set(
    // Dutch, the Scandinavian languages, Finnish.
    "het een van ik niet wat hoe mijn voor met naar waar wanneer waarom welke hoeveel zijn wordt \
     heeft deze dit jij je u och jag inte hur är på för vad min mitt till med var när vem vilken \
     eller som att og jeg ikke hvordan hva hvad hvor når hvem på til mitt min eg kan ja ei miten \
     mikä missä milloin kuka miksi minun onko voi että \
     jak nie czy się jest na do mój moja co gdzie kiedy dlaczego który ile są \
     kde kdy jaký proč jsem není nebo pro és hogy nem egy mi az hol mikor miért hány și cum care \
     este nu pentru unde când cât ce să bir ve ne için nasıl nerede kim neden kaç mı mu değil \
     saya apa yang untuk bagaimana dan tidak dengan di mana kapan berapa adalah ini itu \
     ang ng sa ko mga ano paano của là tôi không và cho làm thế nào kako je na u za gdje kada \
     kuidas minu ning kas kaip kur kodėl"));

/// Letters that none of the languages read uses.
const UNREAD_LETTERS: &str = "łąęśźżćńşğıőűřěůčšžďťňýåøæðþđơưăâțșūėįųāēīķļņģ";

#[rustfmt::skip]
static NEGATIONS: Words = LazyLock::new(|| set(
    "nicht kein keine keinen keinem keiner nie niemals ohne nichts weder außer pas jamais sans aucun \
     aucune rien sauf no nunca jamás sin ningún ninguna ninguno nada tampoco excepto salvo não sem \
     nenhum nenhuma exceto non mai senza nessun nessuno nessuna niente tranne"));

#[rustfmt::skip]
static NUMBERS: Table = LazyLock::new(|| table(
    "0: null zéro cero zero, 2: zwei deux dos dois duas due, 3: drei trois tres três tre, \
     4: vier quatre cuatro quatro quattro, 5: fünf cinq cinco cinque, 6: sechs six seis sei, \
     7: sieben sept siete sete sette, 8: acht huit ocho oito otto, 9: neun neuf nueve nove, \
     10: zehn dix diez dez dieci, 11: elf onze once undici, 12: zwölf douze doce doze dodici, \
     13: dreizehn treize trece treze tredici, 14: vierzehn quatorze catorce catorze quattordici, \
     15: fünfzehn quinze quince quindici, 16: sechzehn seize dieciséis dezesseis sedici, \
     17: siebzehn dix-sept diecisiete dezessete diciassette, 18: achtzehn dieciocho dezoito diciotto, \
     19: neunzehn diecinueve dezenove diciannove, 20: zwanzig vingt veinte vinte venti, \
     30: dreißig trente treinta trinta trenta, 40: vierzig quarante cuarenta quarenta quaranta, \
     50: fünfzig cinquante cincuenta cinquenta cinquanta, 60: sechzig soixante sesenta sessenta sessanta, \
     70: siebzig setenta settanta, 80: achtzig ochenta oitenta ottanta, \
     90: neunzig noventa novanta, 100: hundert einhundert cent cien ciento cem cento, \
     1000: tausend eintausend mille mil, 1000000: million millionen million millions millón milhão milione"));

#[rustfmt::skip]
static UNITS: Table = LazyLock::new(|| table(
    "km: kilometer kilometern kilomètre kilomètres kilómetro kilómetros quilômetro quilômetros \
     quilómetros chilometro chilometri, mile: meile meilen milla millas milha milhas miglio miglia, \
     m: meter metern mètre mètres metro metros metri, cm: zentimeter centimètres centímetros centimetri, \
     kg: kilo kilos kilogramm kilogrammes kilogramos quilos quilogramas chilo chili chilogrammi, \
     g: gramm gramme grammes gramo gramos grama gramas grammo grammi, mg: milligramm milligrammes \
     miligramos miligramas milligrammi, pound: pfund livre livres libra libras libbra libbre sterline, \
     l: liter litern litre litres litro litros litri, ml: milliliter millilitres mililitros millilitri, \
     hour: stunde stunden heure heures hora horas ora ore, minute: minute minuten minutes minuto minutos \
     minuti, second: sekunde sekunden seconde secondes segundo segundos secondi, day: tag tage tagen \
     jour jours día días dia dias giorno giorni, week: woche wochen semaine semaines semana semanas \
     settimana settimane, month: monat monate monaten mois mes meses mês mese mesi, year: jahr jahre \
     jahren an ans année années año años ano anos anno anni, euro: euro euros, dollar: dollar dollars \
     dólar dólares dollari dollaro, percent: prozent percento, celsius: celsius, fahrenheit: fahrenheit"));

#[rustfmt::skip]
static DAYS: Table = LazyLock::new(|| table(
    "monday: montag montags lundi lunes lunedì segunda-feira, tuesday: dienstag dienstags mardi martes \
     martedì terça terça-feira, wednesday: mittwoch mittwochs mercredi miércoles mercoledì quarta-feira, \
     thursday: donnerstag donnerstags jeudi jueves giovedì quinta-feira, friday: freitag freitags \
     vendredi viernes venerdì sexta-feira, saturday: samstag samstags sonnabend samedi sábado sabato, \
     sunday: sonntag sonntags dimanche domingo domenica, today: heute aujourd'hui hoy hoje oggi, \
     tomorrow: demain mañana amanhã domani, yesterday: gestern hier ayer ontem ieri, \
     day after: übermorgen après-demain pasadomani dopodomani, morning: morgen morgens vormittag matin \
     manhã mattina mattino, noon: mittag mittags midi mediodía mezzogiorno, afternoon: nachmittag \
     nachmittags après-midi tarde pomeriggio, evening: abend abends soir noche noite sera, \
     weekend: wochenende week-end finde, january: januar janvier enero janeiro gennaio, \
     february: februar février febrero fevereiro febbraio, march: märz mars marzo março, \
     april: april avril abril aprile, may: mai mayo maio maggio, june: juni juin junio junho giugno, \
     july: juli juillet julio julho luglio, august: august août agosto, september: september septembre \
     septiembre setembro settembre, october: oktober octobre octubre outubro ottobre, november: november \
     novembre noviembre novembro, december: dezember décembre diciembre dezembro dicembre, \
     spring: frühling printemps primavera, summer: sommer été verano verão estate, autumn: herbst \
     automne otoño outono autunno, winter: winter hiver invierno inverno"));

#[rustfmt::skip]
static ANTONYMS: LazyLock<HashSet<(&'static str, &'static str)>> = LazyLock::new(|| {
    let pairs = "mehr weniger, vor nach, von nach, nach von, größte kleinste, höchste niedrigste, \
        längste kürzeste, beste schlechteste, teuerste billigste, erste letzte, öffnen schließen, \
        aktivieren deaktivieren, kaufen verkaufen, erhöhen senken, erhöhe senke, hochladen \
        herunterladen, importieren exportieren, links rechts, heiß kalt, vorteile nachteile, \
        einschalten ausschalten, hinzufügen entfernen, über unter, ankunft abfahrt, aufsteigend \
        absteigend, älteste jüngste, mindestens höchstens, männlich weiblich, mein dein, \
        plus moins, avant après, augmenter réduire, augmenter diminuer, ouvrir fermer, activer \
        désactiver, acheter vendre, meilleur pire, premier dernier, gauche droite, chaud froid, \
        avantages inconvénients, ajouter supprimer, importer exporter, maximum minimum, croissant \
        décroissant, arrivée départ, nord sud, est ouest, dessus dessous, sur sous, de vers, de à, \
        mon ton, mâle femelle, allumer éteindre, envoyer recevoir, prêter emprunter, \
        más menos, antes después, aumentar reducir, aumentar disminuir, abrir cerrar, activar \
        desactivar, comprar vender, mejor peor, primero último, primera última, izquierda derecha, \
        caliente frío, ventajas desventajas, añadir eliminar, importar exportar, subir bajar, máximo \
        mínimo, ascendente descendente, llegada salida, norte sur, mayor menor, desde hasta, encender \
        apagar, enviar recibir, prestar pedir, masculino femenino, mi tu, \
        mais menos, antes depois, aumentar diminuir, abrir fechar, ativar desativar, melhor pior, \
        primeiro último, esquerda direita, quente frio, vantagens desvantagens, adicionar remover, \
        ligar desligar, maior menor, chegada partida, ligado desligado, acima abaixo, \
        più meno, prima dopo, aumentare diminuire, aumentare ridurre, aprire chiudere, attivare \
        disattivare, comprare vendere, migliore peggiore, primo ultimo, sinistra destra, caldo freddo, \
        vantaggi svantaggi, aggiungere rimuovere, accendere spegnere, massimo minimo, crescente \
        decrescente, arrivo partenza, alto basso, mio tuo";
    pairs.split(',').filter_map(|pair| pair.trim().split_once(' ')).collect()
});

#[rustfmt::skip]
static COURTESIES: LazyLock<Vec<Vec<&'static str>>> = LazyLock::new(|| {
    let phrases = "kannst du mir bitte sagen, können sie mir bitte sagen, kannst du mir sagen, \
        können sie mir sagen, ich möchte gerne wissen, ich möchte wissen, ich würde gerne wissen, \
        weißt du, wissen sie, sag mir bitte, sag mir, sage mir, sagen sie mir, \
        könnten sie mir sagen, vielen dank, danke, bitte, hallo, hi, guten tag, eigentlich, \
        est ce que tu peux me dire, peux tu me dire, pouvez vous me dire, pourriez vous me dire, \
        dis moi, dites moi, j aimerais savoir, je voudrais savoir, s il te plaît, s il vous plaît, \
        svp, stp, merci beaucoup, merci d avance, merci, bonjour, salut, est ce que, \
        me puedes decir, puedes decirme, puede decirme, podrías decirme, podría decirme, dime, \
        dígame, quisiera saber, quiero saber, me gustaría saber, por favor, muchas gracias, gracias, \
        hola, buenos días, você pode me dizer, pode me dizer, poderia me dizer, me diga, diga me, \
        gostaria de saber, quero saber, muito obrigado, obrigado, obrigada, olá, oi, bom dia, \
        puoi dirmi, mi puoi dire, può dirmi, mi sai dire, dimmi, vorrei sapere, per favore, per \
        piacere, grazie mille, grazie, ciao, buongiorno";
    let mut phrases: Vec<Vec<&str>> =
        phrases.split(',').map(|phrase| phrase.split_whitespace().collect()).collect();
    phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
    phrases
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_name_things_as_english_does() {
        assert_eq!(number("fünf"), number("cinq"));
        assert_eq!(day("lundi"), Some("monday"));
        assert_eq!(day("übermorgen"), Some("day after"));
        assert_eq!(unit("kilomètres"), Some("km"));
        assert!(are_antonyms("senken", "erhöhen") && are_antonyms("más", "menos"));
        for unit in UNITS.values() {
            assert!(super::super::unit(unit).is_some(), "{unit} is no unit of English");
        }
    }

    #[test]
    fn longer_phrases_come_before_those_they_contain() {
        let unspaced: [&[&str]; 2] = [&UNSPACED_COURTESIES, &UNSPACED_NEGATIONS];
        for list in unspaced {
            for (place, phrase) in list.iter().enumerate() {
                assert!(!list[..place].iter().any(|before| phrase.contains(before)), "{phrase}");
            }
        }
        assert!(courtesies().is_sorted_by_key(|phrase| std::cmp::Reverse(phrase.len())));
    }
}
