package sandbox

import "slices"

// Leave takes the customers with this number out of the pool, as a person does in the vendor's console; no call of its
// interface is known to do it. Tasks keep the number. It returns how many left.
func (s *Service) Leave(phone string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	before := len(s.order)
	s.order = slices.DeleteFunc(s.order, func(c *Customer) bool { return c.Phone == phone })
	for key := range s.pool {
		if key.phone == phone {
			delete(s.pool, key)
		}
	}
	return before - len(s.order)
}
