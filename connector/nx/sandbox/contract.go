package sandbox

// field is a text field of a customer. Gender, the only other one, is kept apart.
type field uint8

const (
	fullName field = iota
	firstName
	lastName
	smsPhone
	whatsAppPhone
	viberPhone
	messenger
	instagram
	zalo
	line
	country
	email
	address
	birthday
	tagStr
	remark
	timeZone
	customizeField
	belongSeatUser
	source
	numFields
)

var fieldNames = [numFields]string{
	"full_name", "first_name", "last_name", "sms_phone", "whats_app_phone", "viber_phone", "messenger", "instagram", "zalo",
	"line", "country", "email", "address", "birthday", "tagStr", "remark", "time_zone", "customize_field",
	"belong_seat_user", "source",
}

var fieldByName = func() map[string]field {
	m := make(map[string]field, numFields)
	for f, name := range fieldNames {
		m[name] = field(f)
	}
	return m
}()

// channels are the fields of which a customer must have one.
var channels = []field{whatsAppPhone, smsPhone, email, viberPhone, messenger, instagram, zalo, line}

// rule is what a contract says of one field.
type rule struct {
	max      int  // characters; 0: no limit
	required bool // must have characters
	digits   bool // 0 to 9 only
}

// contract is one version of batch_create.
type contract struct {
	name          string
	rules         [numFields]rule
	strictBinding bool // the request may hold strict_binding
}

var (
	contractSea = &contract{name: "sea", rules: names(rules{remark: {max: 100}, belongSeatUser: {max: 128}})}
	contractOld = &contract{name: "old", rules: names(rules{remark: {max: 100}})}
	contractNew = &contract{name: "new", strictBinding: true, rules: rulesOf(rules{
		fullName: {max: 255, required: true}, firstName: {max: 128}, lastName: {max: 128},
		smsPhone: {max: 30, digits: true}, whatsAppPhone: {max: 30, digits: true}, viberPhone: {max: 30, digits: true},
		messenger: {max: 32, digits: true}, instagram: {max: 32, digits: true}, zalo: {max: 32, digits: true},
		line: {max: 50}, remark: {max: 2000}, belongSeatUser: {max: 128},
	})}
)

type rules map[field]rule

// names adds what sea and the old contract share: both name parts are demanded, phones may hold any character. The other
// fields have the limits of the new contract, where alone they are listed.
func names(r rules) [numFields]rule {
	all := rules{
		fullName: {max: 255}, firstName: {max: 128, required: true}, lastName: {max: 128, required: true},
		smsPhone: {max: 30}, whatsAppPhone: {max: 30}, viberPhone: {max: 30, digits: true},
		messenger: {max: 32, digits: true}, instagram: {max: 32, digits: true}, zalo: {max: 32, digits: true},
		line: {max: 50}, belongSeatUser: {max: 128},
	}
	for f, one := range r {
		all[f] = one
	}
	return rulesOf(all)
}

// rulesOf adds the limits that every contract has.
func rulesOf(r rules) [numFields]rule {
	t := [numFields]rule{country: {max: 50}, email: {max: 50}, address: {max: 100}}
	for f, one := range r {
		t[f] = one
	}
	return t
}
