package nx

import (
	_ "embed"

	"github.com/sluicehq/sluice/connector"
)

//go:embed preset.yaml
var presetSource string

var preset = connector.MustPreset(presetSource)

// presetData is what preset.yaml may ask for.
type presetData struct {
	New          bool // the new contract: more channels, longer remark, full_name demanded
	HalvesNeeded bool // first_name and last_name are demanded
	FullName     bool // full_name is sent
	Owner        bool // belong_seat_user is in the contract
	GivenField   string
	FamilyField  string
	MissingName  string
	FullNameMax  int
	RemarkMax    int
	CustomFields map[string]string // source name → customize_<type>_<n>
	CustomName   string            // regular expression of names that pass as they are
}

// newPreset renders the dialect of one configuration.
func newPreset(cfg connector.Config) ([]byte, error) {
	s, err := settingsOf(cfg)
	if err != nil {
		return nil, err
	}
	isNew := s.contract == contractNew
	d := presetData{
		New: isNew, HalvesNeeded: !isNew, FullName: isNew || s.SendFullName, Owner: s.contract != contractOld,
		GivenField: "first_name", FamilyField: "last_name",
		MissingName: s.MissingName, FullNameMax: 128, RemarkMax: 100, CustomFields: s.CustomFields, CustomName: customName.String(),
	}
	if isNew {
		d.FullNameMax, d.RemarkMax = 255, 2000
	}
	if s.NameOrder == nameSurnameFirst {
		d.GivenField, d.FamilyField = d.FamilyField, d.GivenField
	}
	return preset.Render(d)
}
