/**
 * Character sets and collations: what SHOW CHARACTER SET and SHOW COLLATION of a MySQL 9.7.4
 * server list, copied from one. Clients look up ids of collations here; nothing is compared by them.
 *
 *   charset  bytes of its longest character  description: collation …
 *   collation = name without its charset ":" id ["/" sort length, when it is not 1] ["*" default]
 */
const TABLE = `
armscii8 1 ARMSCII-8 Armenian: bin:64 general_ci:32*
ascii 1 US ASCII: bin:65 general_ci:11*
big5 2 Big5 Traditional Chinese: bin:84 chinese_ci:1*
binary 1 Binary pseudo charset: .:63*
cp1250 1 Windows Central European: bin:66 croatian_ci:44 czech_cs:34/2 general_ci:26*
  polish_ci:99
cp1251 1 Windows Cyrillic: bin:50 bulgarian_ci:14 general_ci:51* general_cs:52 ukrainian_ci:23
cp1256 1 Windows Arabic: bin:67 general_ci:57*
cp1257 1 Windows Baltic: bin:58 general_ci:59* lithuanian_ci:29
cp850 1 DOS West European: bin:80 general_ci:4*
cp852 1 DOS Central European: bin:81 general_ci:40*
cp866 1 DOS Russian: bin:68 general_ci:36*
cp932 2 SJIS for Windows Japanese: bin:96 japanese_ci:95*
dec8 1 DEC West European: bin:69 swedish_ci:3*
eucjpms 3 UJIS for Windows Japanese: bin:98 japanese_ci:97*
euckr 2 EUC-KR Korean: bin:85 korean_ci:19*
gb18030 4 China National Standard GB18030: bin:249 chinese_ci:248/2* unicode_520_ci:250/8
gb2312 2 GB2312 Simplified Chinese: bin:86 chinese_ci:24*
gbk 2 GBK Simplified Chinese: bin:87 chinese_ci:28*
geostd8 1 GEOSTD8 Georgian: bin:93 general_ci:92*
greek 1 ISO 8859-7 Greek: bin:70 general_ci:25*
hebrew 1 ISO 8859-8 Hebrew: bin:71 general_ci:16*
hp8 1 HP West European: bin:72 english_ci:6*
keybcs2 1 DOS Kamenicky Czech-Slovak: bin:73 general_ci:37*
koi8r 1 KOI8-R Relcom Russian: bin:74 general_ci:7*
koi8u 1 KOI8-U Ukrainian: bin:75 general_ci:22*
latin1 1 cp1252 West European: bin:47 danish_ci:15 general_ci:48 general_cs:49 german1_ci:5
  german2_ci:31/2 spanish_ci:94 swedish_ci:8*
latin2 1 ISO 8859-2 Central European: bin:77 croatian_ci:27 czech_cs:2/4 general_ci:9*
  hungarian_ci:21
latin5 1 ISO 8859-9 Turkish: bin:78 turkish_ci:30*
latin7 1 ISO 8859-13 Baltic: bin:79 estonian_cs:20 general_ci:41* general_cs:42
macce 1 Mac Central European: bin:43 general_ci:38*
macroman 1 Mac West European: bin:53 general_ci:39*
sjis 2 Shift-JIS Japanese: bin:88 japanese_ci:13*
swe7 1 7bit Swedish: bin:82 swedish_ci:10*
tis620 1 TIS620 Thai: bin:89 thai_ci:18/4*
ucs2 2 UCS-2 Unicode: bin:90 croatian_ci:149/8 czech_ci:138/8 danish_ci:139/8 esperanto_ci:145/8
  estonian_ci:134/8 general_ci:35* general_mysql500_ci:159 german2_ci:148/8 hungarian_ci:146/8
  icelandic_ci:129/8 latvian_ci:130/8 lithuanian_ci:140/8 persian_ci:144/8 polish_ci:133/8
  roman_ci:143/8 romanian_ci:131/8 sinhala_ci:147/8 slovak_ci:141/8 slovenian_ci:132/8
  spanish2_ci:142/8 spanish_ci:135/8 swedish_ci:136/8 turkish_ci:137/8 unicode_520_ci:150/8
  unicode_ci:128/8 vietnamese_ci:151/8
ujis 3 EUC-JP Japanese: bin:91 japanese_ci:12*
utf16 4 UTF-16 Unicode: bin:55 croatian_ci:122/8 czech_ci:111/8 danish_ci:112/8
  esperanto_ci:118/8 estonian_ci:107/8 general_ci:54* german2_ci:121/8 hungarian_ci:119/8
  icelandic_ci:102/8 latvian_ci:103/8 lithuanian_ci:113/8 persian_ci:117/8 polish_ci:106/8
  roman_ci:116/8 romanian_ci:104/8 sinhala_ci:120/8 slovak_ci:114/8 slovenian_ci:105/8
  spanish2_ci:115/8 spanish_ci:108/8 swedish_ci:109/8 turkish_ci:110/8 unicode_520_ci:123/8
  unicode_ci:101/8 vietnamese_ci:124/8
utf16le 4 UTF-16LE Unicode: bin:62 general_ci:56*
utf32 4 UTF-32 Unicode: bin:61 croatian_ci:181/8 czech_ci:170/8 danish_ci:171/8
  esperanto_ci:177/8 estonian_ci:166/8 general_ci:60* german2_ci:180/8 hungarian_ci:178/8
  icelandic_ci:161/8 latvian_ci:162/8 lithuanian_ci:172/8 persian_ci:176/8 polish_ci:165/8
  roman_ci:175/8 romanian_ci:163/8 sinhala_ci:179/8 slovak_ci:173/8 slovenian_ci:164/8
  spanish2_ci:174/8 spanish_ci:167/8 swedish_ci:168/8 turkish_ci:169/8 unicode_520_ci:182/8
  unicode_ci:160/8 vietnamese_ci:183/8
utf8mb3 3 UTF-8 Unicode: bin:83 croatian_ci:213/8 czech_ci:202/8 danish_ci:203/8
  esperanto_ci:209/8 estonian_ci:198/8 general_ci:33* general_mysql500_ci:223 german2_ci:212/8
  hungarian_ci:210/8 icelandic_ci:193/8 latvian_ci:194/8 lithuanian_ci:204/8 persian_ci:208/8
  polish_ci:197/8 roman_ci:207/8 romanian_ci:195/8 sinhala_ci:211/8 slovak_ci:205/8
  slovenian_ci:196/8 spanish2_ci:206/8 spanish_ci:199/8 swedish_ci:200/8 tolower_ci:76
  turkish_ci:201/8 unicode_520_ci:214/8 unicode_ci:192/8 vietnamese_ci:215/8
utf8mb4 4 UTF-8 Unicode: 0900_ai_ci:255/0* 0900_as_ci:305/0 0900_as_cs:278/0 0900_bin:309
  bg_0900_ai_ci:318/0 bg_0900_as_cs:319/0 bin:46 bs_0900_ai_ci:316/0 bs_0900_as_cs:317/0
  croatian_ci:245/8 cs_0900_ai_ci:266/0 cs_0900_as_cs:289/0 czech_ci:234/8 da_0900_ai_ci:267/0
  da_0900_as_cs:290/0 danish_ci:235/8 de_pb_0900_ai_ci:256/0 de_pb_0900_as_cs:279/0
  eo_0900_ai_ci:273/0 eo_0900_as_cs:296/0 es_0900_ai_ci:263/0 es_0900_as_cs:286/0
  es_trad_0900_ai_ci:270/0 es_trad_0900_as_cs:293/0 esperanto_ci:241/8 estonian_ci:230/8
  et_0900_ai_ci:262/0 et_0900_as_cs:285/0 general_ci:45 german2_ci:244/8 gl_0900_ai_ci:320/0
  gl_0900_as_cs:321/0 hr_0900_ai_ci:275/0 hr_0900_as_cs:298/0 hu_0900_ai_ci:274/0
  hu_0900_as_cs:297/0 hungarian_ci:242/8 icelandic_ci:225/8 is_0900_ai_ci:257/0
  is_0900_as_cs:280/0 ja_0900_as_cs:303/0 ja_0900_as_cs_ks:304/24 la_0900_ai_ci:271/0
  la_0900_as_cs:294/0 latvian_ci:226/8 lithuanian_ci:236/8 lt_0900_ai_ci:268/0
  lt_0900_as_cs:291/0 lv_0900_ai_ci:258/0 lv_0900_as_cs:281/0 mn_cyrl_0900_ai_ci:322/0
  mn_cyrl_0900_as_cs:323/0 nb_0900_ai_ci:310/0 nb_0900_as_cs:311/0 nn_0900_ai_ci:312/0
  nn_0900_as_cs:313/0 persian_ci:240/8 pl_0900_ai_ci:261/0 pl_0900_as_cs:284/0 polish_ci:229/8
  ro_0900_ai_ci:259/0 ro_0900_as_cs:282/0 roman_ci:239/8 romanian_ci:227/8 ru_0900_ai_ci:306/0
  ru_0900_as_cs:307/0 sinhala_ci:243/8 sk_0900_ai_ci:269/0 sk_0900_as_cs:292/0
  sl_0900_ai_ci:260/0 sl_0900_as_cs:283/0 slovak_ci:237/8 slovenian_ci:228/8 spanish2_ci:238/8
  spanish_ci:231/8 sr_latn_0900_ai_ci:314/0 sr_latn_0900_as_cs:315/0 sv_0900_ai_ci:264/0
  sv_0900_as_cs:287/0 swedish_ci:232/8 tr_0900_ai_ci:265/0 tr_0900_as_cs:288/0 turkish_ci:233/8
  unicode_520_ci:246/8 unicode_ci:224/8 vi_0900_ai_ci:277/0 vi_0900_as_cs:300/0
  vietnamese_ci:247/8 zh_0900_as_cs:308/0
`;

export interface CharacterSet {
  readonly name: string;
  readonly maxBytes: number;
  readonly description: string;
  readonly defaultCollation: string;
}

export interface Collation {
  readonly name: string;
  readonly charset: string;
  readonly id: number;
  readonly isDefault: boolean;
  readonly sortLength: number;
  readonly padsSpace: boolean;
}

const SETS: CharacterSet[] = [];
const ALL: Collation[] = [];

for (const line of TABLE.trim().replaceAll("\n  ", " ").split("\n")) {
  const [, name = "", maxBytes, description = "", list = ""] = /^(\S+) (\d) (.*?): (.*)$/.exec(
    line,
  )!;
  let defaultCollation = "";
  for (const item of list.split(" ")) {
    const [, rest, id, length = "1", mark] = /^(\S+):(\d+)(?:\/(\d+))?(\*?)$/.exec(item)!;
    const collation = rest === "." ? name : `${name}_${rest}`;
    if (mark === "*") defaultCollation = collation;
    ALL.push({
      name: collation,
      charset: name,
      id: Number(id),
      isDefault: mark === "*",
      sortLength: Number(length),
      padsSpace: !collation.includes("_0900_") && collation !== "binary",
    });
  }
  SETS.push({ name, maxBytes: Number(maxBytes), description, defaultCollation });
}
// As a server sorts them: "_" stands behind all letters.
ALL.sort((a, b) => (a.name.toUpperCase() < b.name.toUpperCase() ? -1 : 1));

export const CHARACTER_SETS: readonly CharacterSet[] = SETS;
export const COLLATIONS: readonly Collation[] = ALL;
