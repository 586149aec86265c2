package sandbox

import (
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// What the zero Options give.
const (
	Token  = "sandbox-token"
	UserID = "4d99d91c-f5d9-49da-88da-758977cc58a9"
	TaskID = "b15b7392-a83f-4e0e-9570-31dd2ec8f85c"
	// RunningTaskID is a task of version 2.0 that runs, so that it takes no numbers.
	RunningTaskID = "0d5e3b7c-1f6a-4f0e-8a55-7f1f0a3f6c02"
	SubUserID     = "91f9254f-ca58-49af-be34-8370d7549d73"
	// ComponentText and ComponentAge are components of the pool.
	ComponentText = "2a87347c-6dd5-4e22-97fe-9b8001dbcd17"
	ComponentAge  = "3535fa11-d1fc-468b-943c-8850c4e5514e"
	ImportDelay   = 2 * time.Second
)

// Options of a Service. The zero value has one account with two tasks and two components.
type Options struct {
	Token      string
	UserID     string
	SubUsers   []string
	Tasks      []Task
	Components []Component
	// ImportDelay is the time from accepting to importing, by the sandbox's clock; 0: ImportDelay, negative: none.
	ImportDelay time.Duration
	// RefuseDuplicates answers 422 to an async request with a number that is in the task already, instead of leaving it
	// out of the import.
	RefuseDuplicates bool
	// Callback is told of async imports that are done.
	Callback Callback
}

// Task is a task of the account as it is at the start.
type Task struct {
	ID, Name string
	V2       bool // of version 2.0: takes no numbers while it runs
	Running  bool
}

// Component is a custom field of the pool.
type Component struct {
	ID, Name, Type string // Type: text, number or date
	Required       bool
}

// Service is the CRM.
type Service struct {
	opts       Options
	components map[string]Component
	users      map[string]bool // the account and its sub-accounts
	clock      func() time.Time
	caller     caller

	mu      sync.Mutex // guards what follows
	tasks   map[string]*task
	pool    map[poolKey]*Customer
	order   []*Customer
	joined  int // customers, those who left too
	jobs    []*job
	byID    map[string]*job
	commits int64
	totals  Totals
}

type poolKey struct{ user, phone string }

type task struct {
	Task
	numbers []*Number
	count   map[string]int // by bare number
}

// New returns an empty CRM.
func New(o Options) *Service {
	if o.Token == "" {
		o.Token = Token
	}
	if o.UserID == "" {
		o.UserID = UserID
	}
	if o.SubUsers == nil {
		o.SubUsers = []string{SubUserID}
	}
	if o.Tasks == nil {
		o.Tasks = []Task{{ID: TaskID, Name: "sandbox", V2: true}, {ID: RunningTaskID, Name: "running", V2: true, Running: true}}
	}
	if o.Components == nil {
		o.Components = []Component{{ID: ComponentText, Name: "nickname", Type: "text"}, {ID: ComponentAge, Name: "age", Type: "number"}}
	}
	switch {
	case o.ImportDelay == 0:
		o.ImportDelay = ImportDelay
	case o.ImportDelay < 0:
		o.ImportDelay = 0
	}
	s := &Service{opts: o, components: map[string]Component{}, users: map[string]bool{o.UserID: true}, clock: time.Now}
	for _, c := range o.Components {
		s.components[c.ID] = c
	}
	for _, u := range o.SubUsers {
		s.users[u] = true
	}
	s.caller.to = o.Callback
	s.Reset()
	return s
}

// Name returns "outcall".
func (s *Service) Name() string { return "outcall" }

// Register registers the service's routes.
func (s *Service) Register(mux *sandbox.Mux) {
	s.clock = mux.Clock()
	mux.Mask("Authorization")
	s.registerCallback(mux)
	const user = "/agent-api/user/{user}"
	mux.Handle("POST "+user+"/task/{task}/async_number", "async_number", s.inTask(s.add(addRules{max: 200, async: true})))
	mux.Handle("POST "+user+"/task/{task}/number", "number", s.inTask(s.add(addRules{max: 100})))
	mux.Handle("GET "+user+"/task/{task}/number", "numbers", s.inTask(s.list))
	mux.Handle("GET "+user+"/task/{task}/number/detail/{phone}", "detail", s.inTask(s.detail))
	mux.Handle("GET "+user+"/identification/{id}", "identification", s.inAccount(s.identification))
	mux.Handle("GET /agent-api/download-number", "download-number", s.download)
	mux.Handle("GET "+user+"/customer/create", "components", s.inAccount(s.template))
	mux.Handle("GET "+user+"/get_customer", "get_customer", s.inAccount(s.customers))
	for _, pattern := range []string{"GET " + user, "PUT /agent-api/new/user/{user}"} {
		mux.Handle(pattern+"/task_stop/{task}", "task_stop", s.inTask(s.run(false)))
	}
	mux.Handle("PUT /agent-api/new/user/{user}/task_start/{task}", "task_start", s.inTask(s.run(true)))
}

// Reset empties the service and puts its tasks back.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks, s.pool, s.byID = map[string]*task{}, map[poolKey]*Customer{}, map[string]*job{}
	s.order, s.joined, s.jobs, s.commits, s.totals = nil, 0, nil, 0, Totals{}
	s.caller.count(func(t *CallbackTotals) { *t = CallbackTotals{} })
	for _, t := range s.opts.Tasks {
		s.tasks[t.ID] = &task{Task: t, count: map[string]int{}}
	}
}

// SetRunning starts or stops a task; an unknown one is left alone.
func (s *Service) SetRunning(id string, running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tasks[id]; t != nil {
		t.Running = running
	}
}

// inAccount lets only calls with the token and a known account pass, with mu held and imports that are due done.
func (s *Service) inAccount(h sandbox.Handler) sandbox.Handler {
	return func(c *sandbox.Call) sandbox.Reply {
		if c.Header.Get("Authorization") != "Bearer "+s.opts.Token {
			return failure(401, "Unauthenticated.")
		}
		sub := c.URL.Query().Get("sub_user_id")
		if c.PathValue("user") != s.opts.UserID || sub != "" && !s.users[sub] {
			return failure(404, "账户不存在")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle()
		return h(c)
	}
}

// inTask is inAccount for calls of a task.
func (s *Service) inTask(h sandbox.Handler) sandbox.Handler {
	return s.inAccount(func(c *sandbox.Call) sandbox.Reply {
		if s.tasks[c.PathValue("task")] == nil {
			return failure(404, "任务不存在")
		}
		return h(c)
	})
}

func (s *Service) run(running bool) sandbox.Handler {
	return func(c *sandbox.Call) sandbox.Reply {
		s.tasks[c.PathValue("task")].Running = running
		return success("操作成功", map[string]any{}, nil)
	}
}
