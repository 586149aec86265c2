package job

import "testing"

// Two addresses are the same if the second could not be listened on beside the first. Port 0 never is.
func TestAddressesOverlap(t *testing.T) {
	for _, tc := range []struct {
		public, admin string
		same          bool
	}{
		{"127.0.0.1:8085", "127.0.0.1:9465", false}, {"127.0.0.1:8085", "127.0.0.1:8085", true}, {"127.0.0.1:0", "127.0.0.1:0", false},
		{":8085", "127.0.0.1:8085", true}, {"127.0.0.1:8085", "[::]:8085", true}, {"0.0.0.0:8085", "[::1]:8085", false}, {"0.0.0.0:8085", "10.0.0.1:8085", true},
		{"localhost:8085", "127.0.0.1:8085", true}, {"10.0.0.1:8085", "127.0.0.1:8085", false}, {"a.test:8085", "a.test:8085", true}, {"a.test:8085", "b.test:8085", false},
		{"127.0.0.1:https", "127.0.0.1:443", true}, {"127.0.0.1", "127.0.0.1", false}, {"127.0.0.1:99999", "127.0.0.1:99999", false},
	} {
		r := &Receive{Listener: Listener{Listen: tc.public}, Admin: ReceiveAdmin{Listener: Listener{Listen: tc.admin}}}
		if err := r.validateAddresses(); (err != nil) != tc.same {
			t.Errorf("%s and %s: %v", tc.public, tc.admin, err)
		}
	}
}
