package infer

import (
	"slices"
	"strings"
	"sync"
	"unicode"
)

// grade is how much the name of a column says.
type grade uint8

const (
	none   grade = iota
	maybe        // it may be meant; a comment says what else it may be
	likely       // it is meant if the values agree; alone it needs a comment
	sure         // it is meant unless the values say otherwise
)

// meaning is what a name stands for.
type meaning struct {
	target string // canonical column
	grade  grade
	why    string // what else it may be, for the comment
	nested bool   // only the last part of a path says it
}

// named are names that leave no choice, by canonical column: words in small letters with one blank between them.
var named = map[string][]string{
	"whatsapp": {"whatsapp", "whatsapp number", "whatsapp no", "whatsapp phone", "whatsapp phone number", "whatsapp mobile", "phone whatsapp", "whatsapp号", "whatsapp号码", "whatsapp手机号", "whatsapp账号"},
	"phone": {"phone", "phone number", "phone no", "phone num", "mobile", "mobile phone", "mobile number", "mobile no", "mobile phone number", "cell", "cell phone", "cellphone", "cell number", "tel", "telephone", "telephone number", "tel no",
		"handphone", "手机", "手机号", "手机号码", "移动电话", "联系电话", "联系手机", "联系手机号", "电话", "电话号码", "手机电话"},
	"full_name":  {"full name", "fullname", "姓名", "真实姓名", "名字", "全名"},
	"first_name": {"first name", "firstname", "given name", "forename", "fname", "name first"},
	"last_name":  {"last name", "lastname", "surname", "family name", "lname", "name last"},
	"email":      {"email", "e mail", "email address", "e mail address", "mail", "mail address", "邮箱", "电子邮箱", "邮箱地址", "电子邮件", "邮件", "邮件地址", "电邮"},
	"gender":     {"gender", "sex", "性别"},
	"birthday":   {"birthday", "birth day", "birth date", "birthdate", "date of birth", "dob", "生日", "出生日期", "出生年月日"},
	"address":    {"address", "full address", "postal address", "mailing address", "地址", "详细地址", "联系地址", "通讯地址", "通信地址"},
	"country":    {"country", "country region", "country name", "国家", "国家地区", "所在国家"},
	"company":    {"company", "company name", "organization", "organisation", "organization name", "organisation name", "employer", "公司", "公司名称", "公司名", "企业", "企业名称", "所在公司", "所属公司", "所属企业", "工作单位"},
	"profession": {"job title", "job", "profession", "occupation", "职业", "职位", "职务", "岗位"},
	"income":     {"income", "annual income", "monthly income", "收入", "年收入", "月收入"},
	"remark":     {"remark", "remarks", "note", "notes", "comment", "comments", "备注", "备注信息", "备注说明"},
	"tags":       {"tag", "tags", "label", "labels", "标签", "标签名称"},
	"source":     {"source", "original source", "contact source", "lead source", "来源", "来源渠道", "渠道来源"},
	"industry":   {"industry", "行业", "所属行业", "所在行业"},
	"language":   {"language", "preferred language", "语言", "语种"},
	"time_zone":  {"time zone", "timezone", "时区"},
}

// The doubts of half a name, which end where the other half has a column too.
const (
	givenBeside  = "it is the given name only where the family name stands beside it"
	familyBeside = "it is the family name only where the given name stands beside it"
)

// doubtful are names with a second meaning, which the comment tells.
var doubtful = []struct {
	target string
	grade  grade
	names  string // separated by |
	why    string
}{
	{"full_name", likely, "name|display name|姓名昵称|联系人|联系人名称|顾客|收件人|收货人|收货人姓名|收件人姓名", "it may name a company, or another person than the one who is to be written to"},
	{"full_name", maybe, "客户名称|客户名|会员名称|会员名|客户全称|account|customer|client|contact|lead|名称", "it may name a company, or an account"},
	{"full_name", maybe, "nickname|nick name|nick|昵称|微信昵称|客户昵称|备注名", "it is what people call themselves, not always a name"},
	{"full_name", maybe, "billing name|shipping name|recipient|recipient name|receiver|receiver name", "it is the person of an order, not always the contact"},
	{"first_name", maybe, "名|first", givenBeside},
	{"last_name", maybe, "姓|姓氏|last", familyBeside},
	{"first_name", maybe, "billing first name|shipping first name", "it is the person of an order, not always the contact"},
	{"last_name", maybe, "billing last name|shipping last name", "it is the person of an order, not always the contact"},
	{"phone", maybe, "billing phone|shipping phone|default address phone|收货人手机|收货人手机号|收货人电话|收件人手机|收件人手机号|收件人电话|收货手机号", "it is the number of an order, not always the contact's"},
	{"phone", maybe, "work phone|business phone|office phone|company phone|home phone|other phone|phone 2|phone 1|mobile 1|mobile 2|mobile phone 2|alternate phone|secondary phone|备用手机|备用电话|备用手机号|手机1|手机2|手机号1|手机号2|电话1|电话2|座机|固定电话|办公电话|公司电话|家庭电话", "it may be shared with others, or be a fixed line"},
	{"phone", maybe, "联系方式|contact number|contact no|contact info|contact", "it may hold something other than a telephone number"},
	{"phone", maybe, "whatsapp id|wa id", "it is a WhatsApp id, whose digits are a number in most systems but not in all"},
	{"whatsapp", maybe, "wa|wa number|wa phone", "wa is short for WhatsApp in some systems only"},
	{"phone", maybe, "sjh|sjhm|lxdh|dh", "it looks like the first letters of Chinese words for a telephone number"},
	{"full_name", maybe, "xm|xingming", "it looks like pinyin for a name"},
	{"gender", maybe, "xb|xingbie", "it looks like pinyin for a gender"},
	{"birthday", maybe, "csrq|shengri", "it looks like pinyin for a date of birth"},
	{"email", maybe, "work email|business email|personal email|other email|secondary email|email 1|email 2|billing email|shipping email|收货邮箱|公司邮箱|工作邮箱|备用邮箱", "a contact has one e-mail address, and this may not be it"},
	{"gender", maybe, "salutation|称呼|称谓|title|prefix", "a form of address tells a gender only where all its words do"},
	{"birthday", maybe, "born|birth|出生|出生年月|农历生日|阴历生日", "it may be partial, or of another calendar"},
	{"address", maybe, "street|street address|address 1|address 2|address line 1|address line 2|billing address|shipping address|mailing street|home address|街道|街道地址|收货地址|家庭住址|住址|公司地址|billing address 1|shipping address 1|default address address 1", "it may be a part of the address, or the address of an order"},
	{"country", maybe, "mailing country|billing country|shipping country|country code|default address country code|billing country code|nationality|国籍|国家代码", "it may be a code, a nationality or the country of an order"},
	{"company", maybe, "account name|account|associated company|billing company|shipping company|default address company|单位|单位名称|store name|店铺名称|客户公司|组织", "it may be something other than the contact's company"},
	{"profession", maybe, "title|position|role|身份", "it may be a form of address, or a role in a system"},
	{"income", maybe, "annual revenue|salary|薪资|工资", "it may be the company's, or not for a CRM"},
	{"remark", maybe, "description|描述|客户描述|简介|message|留言|memo|说明", "it may describe something other than the contact"},
	{"remark", maybe, "customer note|customer notes|order note|order notes|buyer note|买家备注|买家留言|客户留言|订单备注", "it may be about one order"},
	{"tags", maybe, "groups|group|分组|segments|categories|category|分类|客户分组", "it may hold groups, which are not tags everywhere"},
	{"stage", maybe, "stage|sales stage|lead stage|lifecycle stage|阶段|销售阶段|跟进阶段|客户阶段", "the CRM takes names of its own stages only"},
	{"stage", maybe, "status|lead status|state|状态|客户状态|跟进状态|线索状态", "it may be the state of an address or of a record, and the CRM takes names of its own stages only"},
	{"source", maybe, "channel|渠道|utm source|referrer|latest source|original source type|获客渠道|添加渠道|添加方式|original traffic source", "it may be a detail or a technical name of the source"},
	{"language", maybe, "locale|lang|language code", "it may be a code where the CRM has names"},
	{"time_zone", maybe, "tz|gmt offset|utc offset", "the CRM wants a form such as GMT+8"},
	{"owner", maybe, "owner|contact owner|lead owner|account owner|owner name|owner email|owner id|assigned to|assigned user|sales rep|agent|负责人|归属人|跟进人|跟进成员|所属员工|归属员工|所属销售|销售员|销售|业务员|客服|添加人|员工|销售负责人|所属人|负责员工|导购|专属导购", "it has to hold the login names of the CRM's own agents"},
	{"external_id", likely, "id|contact id|customer id|record id|external id|client id|member id|lead id|person id|user id|uid|userid|customer number|客户编号|会员编号|客户id|会员id|用户id|编号|客户编码|外部id|唯一id", "it may be the key of something else"},
	{"external_id", maybe, "source id|external userid|外部联系人id|来源id|openid|open id|unionid|union id|member no|会员号|会员卡号", "it may be the key of something else"},
}

var vocabulary = sync.OnceValue(func() map[string][]meaning {
	all := map[string][]meaning{}
	for target, names := range named {
		for _, n := range names {
			all[n] = append(all[n], meaning{target: target, grade: sure})
		}
	}
	for _, d := range doubtful {
		for _, n := range strings.Split(d.names, "|") {
			all[n] = append(all[n], meaning{target: d.target, grade: d.grade, why: d.why})
		}
	}
	return all
})

// neutral words say whose a column is where all columns are that person's.
var (
	neutral = []string{"contact", "contacts", "customer", "client", "lead", "person", "member", "subscriber", "properties", "primary", "main", "my"}
	// Those that number or place a column among its like, at the end of the name; those that say whose it is, at its head.
	oneOfSeveral   = []string{"work", "home", "mobile", "business", "other", "value", "formatted", "1", "2", "3"}
	somebody       = []string{"buyer", "user", "student", "parent", "guest", "attendee", "home", "work", "business", "account"}
	neutralChinese = []string{"客户", "联系人", "会员", "顾客", "用户", "买家", "学员", "粉丝", "线索", "主要", "您的"}
)

// meanings looks a name up: as it is, then without words that are neutral, at last without those that set the column apart
// from others of its kind, which leaves a doubt. Nothing else is looked up by parts: a Phone type is no phone.
func meanings(name string) []meaning {
	words := wordsOf(name)
	if found := lookup(words); found != nil {
		return found
	}
	short := words
	for len(short) > 1 && one(oneOfSeveral, short[len(short)-1]) {
		short = short[:len(short)-1]
	}
	if found := lookup(short); found != nil {
		return lowered(found, "it is one of several of its kind")
	}
	if len(short) > 1 && one(somebody, short[0]) {
		if found := lookup(short[1:]); found != nil {
			return lowered(found, "it may be of somebody else than the contact")
		}
	}
	if at := strings.LastIndexByte(name, '.'); at >= 0 { // a nested member may be somebody else's
		return lowered(meanings(name[at+1:]), "it is a member of "+quoted(name[:at])+", which may describe somebody else")
	}
	return nil
}

// lookup finds a name in the vocabulary, as it is or without neutral words.
func lookup(words []string) []meaning {
	for {
		if found := vocabulary()[join(words)]; found != nil {
			return found
		}
		short := withoutNeutral(words)
		if join(short) == join(words) {
			return nil
		}
		words = short
	}
}

func one(words []string, w string) bool { return slices.Contains(words, w) }

// lowered grades meanings down to maybe.
func lowered(all []meaning, why string) []meaning {
	out := make([]meaning, 0, len(all))
	for _, m := range all {
		if m.why == "" {
			m.why = why
		}
		m.grade, m.nested = min(m.grade, maybe), true
		out = append(out, m)
	}
	return out
}

func withoutNeutral(words []string) []string {
	if len(words) > 1 {
		for _, n := range neutral {
			if words[0] == n {
				return words[1:]
			}
		}
	}
	if len(words) > 0 {
		for _, n := range neutralChinese {
			if rest, ok := strings.CutPrefix(words[0], n); ok && rest != "" {
				return append([]string{rest}, words[1:]...)
			}
		}
	}
	return words
}

// join puts words together: with blanks, but not between Chinese ones.
func join(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 && !(isHan(w) && isHan(words[i-1])) {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}

func isHan(s string) bool {
	for _, r := range s {
		if unicode.Is(unicode.Han, r) {
			return true
		}
	}
	return false
}

// asides are remarks in a name that change nothing about what the column holds.
var asides = map[string]bool{"required": true, "optional": true, "必填": true, "选填": true, "必填项": true, "非必填": true, "c": true}

// wordsOf cuts a name into words in small letters: at signs, and where a small letter is followed by a capital. Letters and
// Chinese signs stay together, as in QQ号.
func wordsOf(name string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	var last rune
	for _, r := range name {
		if r >= '！' && r <= '～' { // full-width forms
			r -= '！' - '!'
		}
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
		case unicode.IsUpper(r) && unicode.IsLower(last):
			flush()
			word = append(word, r)
		default:
			word = append(word, r)
		}
		last = r
	}
	flush()
	kept := words[:0]
	for i, w := range words {
		if i > 0 && asides[w] {
			continue
		}
		kept = append(kept, w)
	}
	for i := 0; i+1 < len(kept); i++ { // WhatsApp, split by its capitals
		if kept[i] == "whats" && kept[i+1] == "app" {
			kept = append(append(kept[:i:i], "whatsapp"), kept[i+2:]...)
		}
	}
	return kept
}
