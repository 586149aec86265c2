package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// addBody is a request to add numbers. Members that are not known are refused.
type addBody struct {
	IgnoreCRM  bool   `json:"ignore_crm"`
	Encryption bool   `json:"encryption"`
	SubUserID  string `json:"sub_user_id"`
	AddSuffix  bool   `json:"number_add_suffix"`
	SkipError  *bool  `json:"skip_error"`
	Data       []row  `json:"data"`
}

type row struct {
	Name       string  `json:"name"`
	Phone      string  `json:"phone"`
	Email      string  `json:"email"`
	Company    string  `json:"company"`
	Sex        *int    `json:"sex"`
	Sort       *int    `json:"sort"`
	SourceID   *int64  `json:"source_id"`
	IndustryID *int64  `json:"industry_id"`
	GradeID    *int64  `json:"grade_id"`
	Components []value `json:"components"`
	Extra      string  `json:"extra"`
	Robot      string  `json:"control_select_robot"`
	SubUserID  string  `json:"sub_user_id"`
	Encryption bool    `json:"encryption"`
}

type value struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

var (
	mobile  = regexp.MustCompile(`^1[3-9][0-9]{9}$`)
	integer = regexp.MustCompile(`^-?[0-9]+$`)
)

// addRules is how the two ways to add numbers differ.
type addRules struct {
	max   int
	async bool
}

// add takes a request whole or refuses it whole. A number that is not one, or that the task holds already, spoils a sync
// request that does not skip errors; an async import leaves it out.
func (s *Service) add(rules addRules) sandbox.Handler {
	return func(c *sandbox.Call) sandbox.Reply {
		t := s.tasks[c.PathValue("task")]
		if t.V2 && t.Running {
			return failure(6007, "2.0任务启动中,请先停止任务")
		}
		var body addBody
		d := json.NewDecoder(bytes.NewReader(c.Body))
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil {
			return failure(422, "body: "+err.Error())
		}
		if fault := s.faultOf(&body, rules); fault != "" {
			return failure(422, fault)
		}
		j := &job{task: t, owner: s.owner(body.SubUserID), body: body, id: importID(c.TraceID), due: c.Now}
		skip := rules.async && !s.opts.RefuseDuplicates || body.SkipError != nil && *body.SkipError
		if fault := s.unfit(j); fault != "" && !skip {
			return failure(422, fault)
		}
		s.commits++
		s.totals.Requests++
		s.totals.Rows += int64(len(body.Data))
		r := success("添加成功", map[string]any{}, nil)
		if rules.async {
			j.due = c.Now.Add(s.opts.ImportDelay)
			r = success("号码导入任务信息请在回调中查收", map[string]any{"unique_id": j.id}, nil)
			s.byID[j.id] = j
			j.origin = s.origin(c.Request)
			s.expect(j)
		}
		s.jobs = append(s.jobs, j)
		s.settle()
		r.Rows, r.Commit, r.Keys = len(body.Data), s.commits, make([]string, len(body.Data))
		for i := range body.Data {
			r.Keys[i] = body.Data[i].Phone
		}
		if body.Encryption {
			r.Message = "encryption is ignored"
		}
		return r
	}
}

func (s *Service) owner(sub string) string {
	if sub != "" {
		return sub
	}
	return s.opts.UserID
}

// faultOf finds what is wrong with the shape of a request.
func (s *Service) faultOf(b *addBody, rules addRules) string {
	switch n := len(b.Data); {
	case n == 0:
		return "data is required"
	case n > rules.max:
		return fmt.Sprintf("data holds %d rows, at most %d are taken", n, rules.max)
	case b.SkipError != nil && rules.async:
		return "skip_error is not part of this endpoint"
	case b.SubUserID != "" && !s.users[b.SubUserID]:
		return "sub_user_id does not exist"
	}
	for i := range b.Data {
		if fault := s.rowFault(&b.Data[i]); fault != "" {
			return fmt.Sprintf("data.%d.%s", i, fault)
		}
	}
	return ""
}

func (s *Service) rowFault(r *row) string {
	switch {
	case r.Phone == "":
		return "phone is required"
	case r.Sort == nil:
		return "sort is required"
	case r.Sex != nil && (*r.Sex < 0 || *r.Sex > 2):
		return "sex must be 0, 1 or 2"
	case r.SubUserID != "" && !s.users[r.SubUserID]:
		return "sub_user_id does not exist"
	}
	seen := map[string]bool{}
	for _, v := range r.Components {
		c, known := s.components[v.ID]
		switch {
		case !known:
			return "components: " + v.ID + " does not exist"
		case seen[v.ID]:
			return "components: " + v.ID + " is given twice"
		case c.Type == "number" && !integer.MatchString(v.Value):
			return "components: " + c.Name + " must be an integer"
		case c.Type == "date" && !isDate(v.Value):
			return "components: " + c.Name + " must be a date"
		}
		seen[v.ID] = true
	}
	return ""
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// unfit names the first number that cannot be imported, among those in the task, in earlier imports and in the request.
func (s *Service) unfit(j *job) string {
	seen := map[string]bool{}
	for i, r := range j.body.Data {
		switch {
		case !mobile.MatchString(r.Phone):
			return fmt.Sprintf("data.%d.phone is not a number", i)
		case !j.body.AddSuffix && (seen[r.Phone] || j.task.count[r.Phone] > 0):
			return fmt.Sprintf("data.%d.phone %s is in the task already", i, r.Phone)
		}
		seen[r.Phone] = true
	}
	return ""
}

// importID makes a unique_id of the request's trace id.
func importID(trace string) string {
	return strings.Join([]string{trace[:8], trace[8:12], trace[12:16], trace[16:20], trace[20:32]}, "-")
}
