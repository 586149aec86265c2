// Command handloop is the hand-written peer of the benchmark as a whole program: JSON lines from a file, batches of 100,
// four workers, signed POSTs.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/sluicehq/sluice/bench/loop"
)

const (
	rowsPerRequest = 100
	workers        = 4
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: handloop FILE URL")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "handloop:", err)
		os.Exit(1)
	}
}

func run(path, url string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	jobs := make(chan []byte, workers)
	free := make(chan []byte, 2*workers)
	errs := make(chan error, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for chunk := range jobs {
				if err := post(client, url, chunk); err != nil {
					errs <- err
					return
				}
				select {
				case free <- chunk[:0]:
				default:
				}
			}
		}()
	}
	in := bufio.NewReaderSize(f, 1<<20)
	chunk, n := []byte(nil), 0
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		chunk = append(chunk, line...)
		if n++; n == rowsPerRequest {
			select {
			case jobs <- chunk:
			case err := <-errs:
				return err
			}
			select {
			case chunk = <-free:
			default:
				chunk = nil
			}
			n = 0
		}
	}
	if n > 0 {
		jobs <- chunk
	}
	close(jobs)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return f.Close()
	}
}

func post(client *http.Client, url string, lines []byte) error {
	body := append(make([]byte, 0, len(lines)), loop.Head...)
	var c loop.Contact
	for i := 0; len(lines) > 0; i++ {
		end := bytes.IndexByte(lines, '\n')
		if err := c.Decode(lines[:end]); err != nil {
			return err
		}
		lines = lines[end+1:]
		if i > 0 {
			body = append(body, ',')
		}
		body = c.Append(body)
	}
	body = append(body, loop.Tail...)
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	ts := strconv.AppendInt(nil, time.Now().UnixMilli(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("accessKey", "sandbox-key")
	req.Header.Set("ts", string(ts))
	req.Header.Set("bizType", "2")
	req.Header.Set("action", "mt")
	req.Header.Set("sign", loop.Sign(ts, body))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
