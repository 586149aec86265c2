package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	userPath = "/agent-api/user/" + crm.UserID
	taskPath = userPath + "/task/" + crm.TaskID
)

// world is a sandbox in process with a clock that the test moves.
type world struct {
	t      *testing.T
	crm    *crm.Service
	server *sandbox.Server
	now    time.Time
	host   string
	token  string
}

func newWorld(t *testing.T, o crm.Options) *world {
	w := &world{t: t, crm: crm.New(o), now: time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC), host: "sandbox.test", token: crm.Token}
	w.server = sandbox.New(sandbox.Options{Clock: func() time.Time { return w.now }, Seed: 1}, w.crm)
	return w
}

type answer struct {
	HTTP    int
	Code    int             `json:"code"`
	Status  string          `json:"status"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
	Numbers []string        `json:"numbers"`
	Meta    struct {
		HasPages    bool `json:"has_pages"`
		Total       int  `json:"total"`
		LastPage    int  `json:"last_page"`
		CurrentPage int  `json:"current_page"`
		PerPage     int  `json:"per_page"`
	} `json:"meta"`
}

func (w *world) do(method, path, body string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+w.host+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	resp, err := sandbox.Transport(w.server).RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{HTTP: resp.StatusCode}
	if err := json.Unmarshal(text, &a); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	return a
}

// add sends numbers by the async call and returns the answer.
func (w *world) add(more string, numbers ...string) answer {
	w.t.Helper()
	rows := make([]string, len(numbers))
	for i, n := range numbers {
		rows[i] = `{"phone":"` + n + `","sort":0}`
	}
	return w.do("POST", taskPath+"/async_number", `{`+more+`"data":[`+strings.Join(rows, ",")+`]}`)
}

// imported waits for an import and follows it to its numbers.
func (w *world) imported(a answer) []string {
	w.t.Helper()
	w.now = w.now.Add(crm.ImportDelay)
	var accepted struct {
		ID string `json:"unique_id"`
	}
	var done struct {
		ID   string `json:"unique_id"`
		Data struct {
			URL string `json:"url"`
		} `json:"data"`
	}
	if err := json.Unmarshal(a.Data, &accepted); err != nil {
		w.t.Fatalf("%+v: %v", a, err)
	}
	if err := json.Unmarshal(w.do("GET", userPath+"/identification/"+accepted.ID, "").Data, &done); err != nil || done.ID != accepted.ID {
		w.t.Fatalf("%+v, %v", done, err)
	}
	_, path, ok := strings.Cut(done.Data.URL, w.host)
	if !ok {
		w.t.Fatalf("address %q is not of %s", done.Data.URL, w.host)
	}
	return w.do("GET", path, "").Numbers
}

// Every refusal, in the order of the checks.
func TestRefusals(t *testing.T) {
	const good = `{"phone":"13012121211","sort":0}`
	data := func(rows string) string { return `{"data":[` + rows + `]}` }
	with := func(member string) string { return data(`{"phone":"13012121211","sort":0,` + member + `}`) }
	rows := func(n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(`{"phone":"138%08d","sort":0}`, i)
		}
		return data(strings.Join(all, ","))
	}
	const otherTask = userPath + "/task/" + crm.RunningTaskID + "/async_number"
	for _, tc := range []struct {
		path, body, token string
		code              int
		message           string
	}{
		{taskPath + "/async_number", data(good), "", 200, ""}, {taskPath + "/async_number", rows(200), "", 200, ""}, {taskPath + "/number", rows(100), "", 200, ""},
		{taskPath + "/async_number", "{", "wrong", 401, "Unauthenticated"},
		{"/agent-api/user/other/task/" + crm.TaskID + "/number", data(good), "", 404, "账户"}, {userPath + "/task/other/number", data(good), "", 404, "任务"},
		{otherTask, "{", "", 6007, "2.0任务启动中"},
		{taskPath + "/async_number", "{", "", 422, "body"}, {taskPath + "/async_number", `{"data":[],"x":1}`, "", 422, "unknown field"},
		{taskPath + "/async_number", `{"data":[]}`, "", 422, "data is required"}, {taskPath + "/async_number", rows(201), "", 422, "at most 200"}, {taskPath + "/number", rows(101), "", 422, "at most 100"},
		{taskPath + "/async_number", `{"skip_error":true,"data":[` + good + `]}`, "", 422, "skip_error"}, {taskPath + "/async_number", `{"sub_user_id":"x","data":[` + good + `]}`, "", 422, "sub_user_id"},
		{taskPath + "/async_number", data(good + `,{"sort":0}`), "", 422, "data.1.phone"}, {taskPath + "/async_number", data(`{"phone":"13012121211"}`), "", 422, "sort"},
		{taskPath + "/async_number", data(`{"phone":13012121211,"sort":0}`), "", 422, "phone"}, {taskPath + "/async_number", with(`"sex":3`), "", 422, "sex"},
		{taskPath + "/async_number", with(`"sex":"1"`), "", 422, "sex"}, {taskPath + "/async_number", with(`"nickname":"x"`), "", 422, "unknown field"},
		{taskPath + "/async_number", with(`"sub_user_id":"x"`), "", 422, "sub_user_id"},
		{taskPath + "/async_number", with(`"components":[{"id":"x","value":"1"}]`), "", 422, "does not exist"},
		{taskPath + "/async_number", with(`"components":[{"id":"` + crm.ComponentAge + `","value":"old"}]`), "", 422, "integer"},
		{taskPath + "/async_number", with(`"components":[{"id":"` + crm.ComponentAge + `","value":17}]`), "", 422, "components"},
		{taskPath + "/async_number", with(`"components":[{"id":"` + crm.ComponentAge + `","value":"1"},{"id":"` + crm.ComponentAge + `","value":"2"}]`), "", 422, "twice"},
		{taskPath + "/number", data(`{"phone":"8613012121211","sort":0}`), "", 422, "not a number"}, {taskPath + "/number", data(good + "," + good), "", 422, "already"},
		{taskPath + "/async_number", data(`{"phone":"8613012121211","sort":0}`), "", 200, ""},
	} {
		w := newWorld(t, crm.Options{})
		if tc.token != "" {
			w.token = tc.token
		}
		a := w.do("POST", tc.path, tc.body)
		if a.Code != tc.code || !strings.Contains(a.Message, tc.message) || (a.Status == "success") != (tc.code == 200) {
			t.Errorf("%s %.80s: %+v, want %d %s", tc.path, tc.body, a, tc.code, tc.message)
		}
		if tc.code != 200 && (string(a.Data) != "[]" || w.crm.State().Requests != 0) {
			t.Errorf("%s: data %s, %+v", tc.body, a.Data, w.crm.State().Totals)
		}
	}
}

// An import is accepted now and done later; repeats and what is no number are left out of its numbers.
func TestImport(t *testing.T) {
	w := newWorld(t, crm.Options{})
	first := w.add("", "13012121211", "13012121212", "13012121211", "123")
	if d := w.crm.State(); d.Requests != 1 || d.Waiting != 4 || d.Imported != 0 {
		t.Errorf("%+v", d.Totals)
	}
	if got := fmt.Sprint(w.imported(first)); got != "[13012121211 13012121212]" {
		t.Errorf("numbers %s", got)
	}
	if got := fmt.Sprint(w.imported(w.add("", "13012121212", "13012121213"))); got != "[13012121213]" {
		t.Errorf("numbers %s", got)
	}
	d := w.crm.State()
	if d.Imported != 3 || d.Skipped != 3 || d.Waiting != 0 || d.Twice != 0 || len(d.Pool) != 3 {
		t.Errorf("%+v, %d in the pool", d.Totals, len(d.Pool))
	}
	w.add(`"encryption":true,"ignore_crm":true,"sub_user_id":"`+crm.SubUserID+`",`, "13012121214")
	entries, _ := w.server.Journal()
	last := entries[len(entries)-1]
	w.now = w.now.Add(crm.ImportDelay)
	if d := w.crm.State(); d.EncryptionIgnored != 1 || len(d.Pool) != 3 || last.Message == "" || last.Commit != 3 || fmt.Sprint(last.Keys) != "[13012121214]" {
		t.Errorf("%+v, %+v", d.Totals, last)
	}
	w.crm.Reset()
	if d := w.crm.State(); d.Requests != 0 || len(d.Pool) != 0 || len(d.Tasks) != 2 || len(w.crm.Contents()) != 0 {
		t.Errorf("after a reset: %+v", d)
	}
}

// Numbers with suffixes repeat, and the dump counts it.
func TestSuffixesAndRepeats(t *testing.T) {
	w := newWorld(t, crm.Options{})
	row := `{"phone":"13012121211","sort":0,"extra":"row-1"}`
	body := `{"number_add_suffix":true,"data":[` + row + `,` + row + `]}`
	numbers := w.imported(w.do("POST", taskPath+"/async_number", body))
	if len(numbers) != 2 || numbers[0] == numbers[1] || !strings.HasPrefix(numbers[0], "13012121211_") || len(numbers[0]) != len("13012121211_abcd") {
		t.Errorf("numbers %v", numbers)
	}
	if d := w.crm.State(); d.Twice != 1 || d.RowsTwice != 1 || len(d.Pool) != 1 {
		t.Errorf("%+v", d.Totals)
	}
	refusing := newWorld(t, crm.Options{RefuseDuplicates: true})
	refusing.imported(refusing.add("", "13012121211"))
	if a := refusing.add("", "13012121211"); a.Code != 422 {
		t.Errorf("%+v", a)
	}
}

func TestSync(t *testing.T) {
	w := newWorld(t, crm.Options{})
	body := `"data":[{"phone":"13012121211","sort":0},{"phone":"12","sort":0},{"phone":"13012121211","sort":0}]}`
	if a := w.do("POST", taskPath+"/number", `{"skip_error":true,`+body); a.Code != 200 || len(w.crm.Contents()) != 1 {
		t.Errorf("%+v, %v", a, w.crm.Contents())
	}
	if a := w.do("POST", taskPath+"/number", `{`+body); a.Code != 422 {
		t.Errorf("%+v", a)
	}
}

func TestReads(t *testing.T) {
	w := newWorld(t, crm.Options{ImportDelay: -1})
	for from := 0; from < 250; from += 125 {
		var numbers []string
		for i := range 125 {
			numbers = append(numbers, fmt.Sprintf("138%08d", from+i))
		}
		w.add("", numbers...)
	}
	for _, tc := range []struct {
		query              string
		current, last, per int
		entries            int
	}{{"page=1", 1, 17, 15, 15}, {"page=3&per_page=100", 3, 3, 100, 50}, {"page=1&per_page=240", 1, 2, 240, 240}, {"page=4&per_page=100", 4, 3, 100, 0}} {
		for _, path := range []string{taskPath + "/number", userPath + "/get_customer"} {
			a := w.do("GET", path+"?"+tc.query, "")
			var list []map[string]any
			if err := json.Unmarshal(a.Data, &list); err != nil || len(list) != tc.entries || a.Meta.Total != 250 || a.Meta.CurrentPage != tc.current || a.Meta.LastPage != tc.last || a.Meta.PerPage != tc.per || !a.Meta.HasPages {
				t.Errorf("%s?%s: %d entries, %+v, %v", path, tc.query, len(list), a.Meta, err)
			}
		}
	}
	for path, code := range map[string]int{
		taskPath + "/number": 422, taskPath + "/number?page=0": 422, userPath + "/get_customer": 422, userPath + "/get_customer?page=x": 422,
		taskPath + "/number/detail/13800000001": 200, taskPath + "/number/detail/13900000001": 404, userPath + "/identification/x": 404,
		"/agent-api/download-number?key=x": 404, userPath + "/customer/create": 200, userPath + "/customer/create?sub_user_id=x": 404,
		userPath + "/get_customer?page=1&phone=13800000001": 200,
	} {
		if a := w.do("GET", path, ""); a.Code != code {
			t.Errorf("%s: %+v, want %d", path, a, code)
		}
	}
	if a := w.do("GET", userPath+"/get_customer?page=1&phone=13800000001", ""); a.Meta.Total != 1 || !strings.Contains(string(a.Data), `"phone":"13800000001"`) {
		t.Errorf("%+v", a)
	}
	if a := w.do("GET", userPath+"/customer/create", ""); !strings.Contains(string(a.Data), `"validate":["sometimes","integer"]`) {
		t.Errorf("components %s", a.Data)
	}
}

func TestTaskStates(t *testing.T) {
	w := newWorld(t, crm.Options{})
	for _, step := range []struct {
		method, path string
		code         int
	}{{"PUT", "/agent-api/new/user/" + crm.UserID + "/task_start/" + crm.TaskID, 6007}, {"GET", userPath + "/task_stop/" + crm.TaskID, 200},
		{"PUT", "/agent-api/new/user/" + crm.UserID + "/task_start/" + crm.TaskID, 6007}, {"PUT", "/agent-api/new/user/" + crm.UserID + "/task_stop/" + crm.TaskID, 200}} {
		if a := w.do(step.method, step.path, ""); a.Code != 200 {
			t.Errorf("%+v", a)
		}
		if a := w.add("", "13012121211"); a.Code != step.code {
			t.Errorf("after %s: %+v, want %d", step.path, a, step.code)
		}
	}
	old := newWorld(t, crm.Options{Tasks: []crm.Task{{ID: crm.TaskID, Running: true}}})
	if a := old.add("", "13012121211"); a.Code != 200 {
		t.Errorf("a running task of the old kind: %+v", a)
	}
}

// The address of the numbers has the scheme and host by which the sandbox was called.
func TestDownloadAddress(t *testing.T) {
	for _, tc := range []struct{ host, want string }{{"ai.example.com", "https://ai.example.com/"}, {"127.0.0.1:8080", "http://127.0.0.1:8080/"}, {"localhost:80", "http://localhost:80/"}} {
		w := newWorld(t, crm.Options{ImportDelay: -1})
		w.host = tc.host
		var accepted struct {
			ID string `json:"unique_id"`
		}
		if err := json.Unmarshal(w.add("", "13012121211").Data, &accepted); err != nil {
			t.Fatal(err)
		}
		if a := w.do("GET", userPath+"/identification/"+accepted.ID, ""); !strings.Contains(string(a.Data), `"url":"`+tc.want+`agent-api/download-number?key=`) {
			t.Errorf("%s: %s", tc.host, a.Data)
		}
	}
}

func TestAssumptions(t *testing.T) {
	if doc := crm.Doc(); strings.Count(doc, "(assumed)") != len(crm.Assumptions) || len(crm.Assumptions) < 10 {
		t.Errorf("%s", doc)
	}
	var _ sandbox.Resetter = crm.New(crm.Options{})
	if s, ok := crm.New(crm.Options{}).Summary().(crm.Totals); !ok || s != (crm.Totals{}) {
		t.Errorf("summary %+v", s)
	}
	if _, err := json.Marshal(crm.New(crm.Options{}).Dump()); err != nil {
		t.Error(err)
	}
}
