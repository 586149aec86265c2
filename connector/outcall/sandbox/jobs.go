package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// job is one accepted request.
type job struct {
	id      string
	origin  string // scheme and host by which it was sent
	task    *task
	owner   string
	body    addBody
	due     time.Time
	done    bool
	numbers []string // that got in
}

// settle imports what is due by the sandbox's clock, in the order of acceptance. The caller holds mu.
func (s *Service) settle() {
	now := s.clock()
	open := s.jobs[:0]
	for _, j := range s.jobs {
		if j.due.After(now) {
			open = append(open, j)
			continue
		}
		s.perform(j)
	}
	clear(s.jobs[len(open):])
	s.jobs = open
}

// perform puts the numbers into the pool and then into the task. One that is no number, or that the task holds already,
// is left out without a word.
func (s *Service) perform(j *job) {
	j.done, j.numbers = true, []string{}
	for i := range j.body.Data {
		r := &j.body.Data[i]
		if !mobile.MatchString(r.Phone) || !j.body.AddSuffix && j.task.count[r.Phone] > 0 {
			s.totals.Skipped++
			continue
		}
		owner := j.owner
		if r.SubUserID != "" {
			owner = r.SubUserID
		}
		n := &Number{
			Number: r.Phone, Phone: r.Phone, Owner: owner, Import: j.id, InPool: !j.body.IgnoreCRM, Name: r.Name, Email: r.Email, Company: r.Company,
			Sex: r.Sex, SourceID: r.SourceID, IndustryID: r.IndustryID, GradeID: r.GradeID, Extra: r.Extra, Robot: r.Robot, Imported: j.due,
		}
		if j.body.AddSuffix {
			n.Number = fmt.Sprintf("%s_%s", r.Phone, suffix(j.id, i))
		}
		if n.InPool {
			for _, v := range r.Components {
				if n.Components == nil {
					n.Components = map[string]string{}
				}
				n.Components[v.ID] = v.Value
			}
			s.intoPool(n)
		}
		j.task.count[r.Phone]++
		j.task.numbers = append(j.task.numbers, n)
		j.numbers = append(j.numbers, n.Number)
		s.totals.Imported++
	}
	if j.body.Encryption {
		s.totals.EncryptionIgnored++
	}
	j.body = addBody{}
	s.tell(j)
}

// suffix is four lower-case letters or digits, the same for the same request and row.
func suffix(id string, row int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", id, row))
	return hex.EncodeToString(sum[:2])
}

// intoPool keeps the customer that is there.
func (s *Service) intoPool(n *Number) {
	key := poolKey{n.Owner, n.Phone}
	if s.pool[key] != nil {
		return
	}
	s.joined++
	c := &Customer{
		ID: importID(hex.EncodeToString(fmt.Appendf(nil, "%016d", s.joined))), UserID: n.Owner, Phone: n.Phone, Name: n.Name, Company: n.Company,
		Email: n.Email, Sex: n.Sex, Extra: n.Extra, Components: n.Components, Created: n.Imported.Format(time.DateTime), Updated: n.Imported.Format(time.DateTime),
	}
	s.pool[key] = c
	s.order = append(s.order, c)
}

// identification answers what the callback of the import says, once it is done.
func (s *Service) identification(c *sandbox.Call) sandbox.Reply {
	j := s.byID[c.PathValue("id")]
	switch {
	case j == nil:
		return failure(404, "批次不存在")
	case !j.done:
		return success("导入中", []any{}, nil)
	}
	return success("查看回调数据成功", s.payload(j, s.origin(c.Request)), nil)
}

// origin is the scheme and host by which the caller reached the sandbox.
func (s *Service) origin(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if ip := net.ParseIP(host); r.TLS == nil && (host == "localhost" || ip != nil) {
		return "http://" + r.Host
	}
	return "https://" + r.Host
}

// key lets its holder download the numbers of one import.
func (s *Service) key(id string) string {
	sum := sha256.Sum256([]byte(s.opts.Token + "/" + id))
	return id + "." + hex.EncodeToString(sum[:8])
}

// download gives the numbers to whoever has the key; it asks for no token.
func (s *Service) download(c *sandbox.Call) sandbox.Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	key := c.URL.Query().Get("key")
	for id, j := range s.byID {
		if j.done && key == s.key(id) {
			return sandbox.Reply{Body: encode(map[string]any{"numbers": j.numbers}), Code: "200"}
		}
	}
	return failure(404, "文件不存在")
}
