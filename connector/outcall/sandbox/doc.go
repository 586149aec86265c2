// Package sandbox is a local outbound-call CRM: the endpoints of agent-api that put numbers into tasks and tell what
// became of them. It knows nothing of connector/outcall; the two are written apart and check one another.
//
//	POST /agent-api/user/{user}/task/{task}/async_number         200 rows, imported after a delay
//	POST /agent-api/user/{user}/task/{task}/number               100 rows, imported at once
//	GET  /agent-api/user/{user}/task/{task}/number               numbers of the task, by page
//	GET  /agent-api/user/{user}/task/{task}/number/detail/{phone}
//	GET  /agent-api/user/{user}/identification/{unique_id}       what became of an import
//	GET  /agent-api/download-number?key=                         its numbers
//	GET  /agent-api/user/{user}/customer/create                  components
//	GET  /agent-api/user/{user}/get_customer                     the pool, by page
//	PUT  /agent-api/new/user/{user}/task_stop/{task}             and GET /agent-api/user/{user}/task_stop/{task}
//	PUT  /agent-api/new/user/{user}/task_start/{task}
//	GET  /_sandbox/outcall/callback, POST                        whom an import that is done is told to, see [Callback]
//
// A request is checked in this order, and the first fault answers: token (401), account and sub-account (404), task (404),
// task running (6007), the body, the number of rows and every row's shape (422). What the vendor does not document is
// listed by [Assumptions], with the choice made here.
package sandbox
