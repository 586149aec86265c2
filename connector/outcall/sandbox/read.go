package sandbox

import (
	"github.com/sluicehq/sluice/internal/sandbox"
)

// list gives the numbers of a task in the order in which they came.
func (s *Service) list(c *sandbox.Call) sandbox.Reply {
	if c.URL.Query().Get("page") == "" {
		return failure(422, "page is required")
	}
	all := s.tasks[c.PathValue("task")].numbers
	items, m, ok := pageOf(c, all)
	if !ok {
		return failure(422, "page and per_page must be positive numbers")
	}
	data := make([]map[string]any, len(items))
	for i, n := range items {
		data[i] = n.show()
	}
	return success("查看任务号码成功", data, m)
}

func (s *Service) detail(c *sandbox.Call) sandbox.Reply {
	for _, n := range s.tasks[c.PathValue("task")].numbers {
		if n.Number == c.PathValue("phone") {
			return success("查看号码详情成功", n.show(), nil)
		}
	}
	return failure(404, "号码不存在")
}

func (n *Number) show() map[string]any {
	return map[string]any{"phone": n.Number, "name": n.Name, "company": n.Company, "extra": n.Extra, "status": 0}
}

// template lists the components.
func (s *Service) template(*sandbox.Call) sandbox.Reply {
	data := make([]map[string]any, len(s.opts.Components))
	for i, c := range s.opts.Components {
		rules := []string{"sometimes"}
		if c.Required {
			rules[0] = "required"
		}
		switch c.Type {
		case "number":
			rules = append(rules, "integer")
		case "date":
			rules = append(rules, "date")
		}
		data[i] = map[string]any{"id": c.ID, "name": c.Name, "type": c.Type, "sort": i + 1, "validate": rules}
	}
	return success("查看公海创建模板成功", data, nil)
}

// customers lists the pool.
func (s *Service) customers(c *sandbox.Call) sandbox.Reply {
	query := c.URL.Query()
	if query.Get("page") == "" {
		return failure(422, "page is required")
	}
	owner := s.owner(query.Get("sub_user_id"))
	all := []*Customer{}
	for _, one := range s.order {
		phone, company, email := query.Get("phone"), query.Get("company"), query.Get("email")
		if one.UserID == owner && (phone == "" || phone == one.Phone) && (company == "" || company == one.Company) && (email == "" || email == one.Email) {
			all = append(all, one)
		}
	}
	items, m, ok := pageOf(c, all)
	if !ok {
		return failure(422, "page and per_page must be positive numbers")
	}
	return success("筛选客户公海列表成功", items, m)
}
