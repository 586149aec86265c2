package main

// region is where a contact comes from: names in its script, phones in its habits.
type region struct {
	country  string
	weight   int // share of contacts, out of the sum
	families []string
	given    []given
	// family and given name joined by sep, the family name first where surnameFirst is set
	surnameFirst bool
	sep          string
	cities       []string
	prefix       string   // country code
	mobiles      []string // patterns of the national number; # is any digit, + any but 0
}

type given struct{ name, sex string } // sex m or f

func men(names ...string) []given   { return people("m", names) }
func women(names ...string) []given { return people("f", names) }

func people(sex string, names []string) []given {
	list := make([]given, len(names))
	for i, n := range names {
		list[i] = given{n, sex}
	}
	return list
}

var regions = []region{
	{country: "China", weight: 34, surnameFirst: true, prefix: "86", mobiles: []string{"138########", "186########", "159########", "177########"},
		families: []string{"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "欧阳", "司马", "诸葛", "上官"},
		given:    append(men("伟", "强", "磊", "建国", "志明", "浩然", "子轩"), women("芳", "娜", "秀英", "丽华", "雨桐", "思琪", "静")...),
		cities:   []string{"上海", "北京", "深圳", "贵阳市南明区", "福建省泰安市", "成都"}},
	{country: "United States", weight: 12, sep: " ", prefix: "1", mobiles: []string{"21255501##", "41555501##", "31255501##", "61755501##", "20655501##"},
		families: []string{"Smith", "Johnson", "O'Brien", "Garcia", "McDonald", "Van Buren", "Washington"},
		given:    append(men("James", "Robert", "Mike", "Billy Bob"), women("Mary", "Linda", "Jo-Ann", "Patricia")...),
		cities:   []string{"New York, NY", "Austin, TX", "San Francisco", "Winston-Salem, NC"}},
	{country: "United Kingdom", weight: 6, sep: " ", prefix: "44", mobiles: []string{"7700900###"},
		families: []string{"Taylor", "Evans", "Fforde", "St John-Mollusc", "Khan"},
		given:    append(men("Oliver", "Harry", "Nigel"), women("Amelia", "Isla", "Zoë")...), cities: []string{"London", "Stoke-on-Trent", "Leeds"}},
	{country: "Germany", weight: 7, sep: " ", prefix: "49", mobiles: []string{"1512#######", "171#######"},
		families: []string{"Müller", "Schröder", "Groß", "von der Heide", "Weiß"},
		given:    append(men("Jürgen", "Hans-Peter", "Lukas"), women("Käthe", "Anna", "Heike")...), cities: []string{"München", "Köln", "Berlin, Mitte"}},
	{country: "Saudi Arabia", weight: 8, sep: " ", prefix: "966", mobiles: []string{"50+######", "55+######"},
		families: []string{"العتيبي", "القحطاني", "الغامدي", "الشمري"},
		given:    append(men("محمد", "عبد الله", "خالد"), women("فاطمة", "نورة", "سارة")...), cities: []string{"الرياض", "جدة", "مكة"}},
	{country: "South Korea", weight: 8, surnameFirst: true, prefix: "82", mobiles: []string{"10########"},
		families: []string{"김", "이", "박", "최", "남궁"}, given: append(men("민준", "서준", "도윤"), women("서연", "지우", "하은")...), cities: []string{"서울특별시", "부산", "제주시"}},
	{country: "Japan", weight: 8, surnameFirst: true, sep: " ", prefix: "81", mobiles: []string{"90########", "80########"},
		families: []string{"佐藤", "鈴木", "高橋", "五十嵐", "髙島"}, given: append(men("翔太", "健一", "大輔"), women("さくら", "美咲", "ひなの")...), cities: []string{"東京都渋谷区", "大阪市", "札幌"}},
	{country: "Russia", weight: 7, sep: " ", prefix: "7", mobiles: []string{"916#######", "926#######"},
		families: []string{"Иванов", "Кузнецов", "Щербаков", "Соколов"}, given: append(men("Сергей", "Дмитрий", "Артём"), women("Ольга", "Наталья", "Юлия")...), cities: []string{"Москва", "Санкт-Петербург", "Казань"}},
	{country: "Thailand", weight: 6, sep: " ", prefix: "66", mobiles: []string{"81#######", "89#######"},
		families: []string{"ศรีสุข", "ใจดี", "วงศ์สวัสดิ์"}, given: append(men("สมชาย", "ณัฐพล"), women("สมหญิง", "พิมพ์ใจ", "น้ำฝน")...), cities: []string{"กรุงเทพมหานคร", "เชียงใหม่"}},
	{country: "Mexico", weight: 4, sep: " ", prefix: "52", mobiles: []string{"55########"},
		families: []string{"Hernández López", "Núñez", "De la Cruz"}, given: append(men("José María", "Ángel"), women("Guadalupe", "Begoña")...), cities: []string{"Ciudad de México", "Mérida"}},
}

// How sources write it. The mapping knows every spelling here, and no other.
var (
	male    = []any{"M", "male", "Male", " m ", "男", "先生", "Herr", "мужской", "ذكر", 1}
	female  = []any{"F", "female", "FEMALE", "f", "女", "女士", "Frau", "женский", "أنثى", 2}
	unknown = []any{"", "unknown", "N/A", "未知", "?", "diverse"}
)

var tags = []string{
	"vip", "new", "老客户", "重要", "Messe 2026", "wholesale", "жду звонка", "عميل", "follow-up", "🔥 hot", "学生", "do not call", "ลูกค้าใหม่", "A/B",
}

var notes = []string{
	"met at the fair", "喜欢喝茶，周末联系", "asked for a quote", "prefers \"WhatsApp\" to mail", "звонить после 18:00", "يفضل التواصل مساءً", "次回は来週",
	"🎉 first order 🎉", "👩‍👩‍👧 family plan", "tab\tand\nnewline", "50% off <b>promised</b> & confirmed", "C:\\path\\to\\nowhere", "ขอใบเสนอราคา",
}
