// Command ackprobe is the least that acknowledges durably: an HTTP handler, and one goroutine that commits what waits as one
// SQLite transaction with a record and a dedupe key a request. It verifies nothing, takes nothing apart and has no limits.
//
//	ackprobe FOLDER
package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/heap"
	_ "modernc.org/sqlite" // the receiver's store has the same engine
)

const groupSize = 1024

type row struct {
	body []byte
	done chan error
}

func main() {
	heap.Tune() // as the receiver does
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "ackprobe:", err)
		os.Exit(1)
	}
}

func serve(dir string) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "probe.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE record (seq INTEGER PRIMARY KEY, body BLOB NOT NULL); CREATE TABLE seen (key BLOB PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID"); err != nil {
		return err
	}
	in := make(chan row, groupSize)
	record, err := db.Prepare("INSERT INTO record (body) VALUES (?)")
	if err != nil {
		return err
	}
	seen, err := db.Prepare("INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING")
	if err != nil {
		return err
	}
	go func() {
		for first := range in {
			group := []row{first}
			for more := true; more && len(group) < groupSize; {
				select {
				case r := <-in:
					group = append(group, r)
				default:
					more = false
				}
			}
			err := write(db, record, seen, group)
			for _, r := range group {
				r.done <- err
			}
		}
	}()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", ln.Addr())
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err == nil {
			r := row{body, make(chan error, 1)}
			in <- r
			err = <-r.done
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"code":200,"message":"Success","data":""}`)
	}))
}

func write(db *sql.DB, record, seen *sql.Stmt, group []row) error {
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	record, seen = tx.Stmt(record), tx.Stmt(seen)
	for _, r := range group {
		res, err := record.Exec(r.body)
		if err != nil {
			return err
		}
		seq, err := res.LastInsertId()
		if err != nil {
			return err
		}
		key := sha256.Sum256(r.body)
		if _, err := seen.Exec(key[:16], seq); err != nil {
			return err
		}
	}
	return tx.Commit()
}
