// Receives and verifies webhooks of {{vendor}}: go run receiver.go
// {{#credential}}
// Credentials of the test account: standin secrets {{id}} --env
// {{/credential}}
package main

import (
	// {{#hmac}}
	"crypto/hmac"
	"crypto/{{hash}}"
	// {{/hmac}}
	// {{#credential}}
	"crypto/subtle"
	// {{/credential}}
	// {{#base64}}
	"encoding/base64"
	// {{/base64}}
	// {{#hex}}
	"encoding/hex"
	// {{/hex}}
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)
// {{#credential}}

var secret = os.Getenv("{{env}}")

// Takes the same time wherever the texts differ.
func isEqual(received, expected string) bool {
	return subtle.ConstantTimeCompare([]byte(received), []byte(expected)) == 1
}
// {{/credential}}
// {{#hmac}}

// The signature covers the bytes that arrived: never parse and re-serialize them first.
func isAuthentic(headers http.Header, body []byte) bool {
	mac := hmac.New({{hash}}.New, []byte(secret))
	mac.Write(body)
	// {{#base64}}
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	// {{/base64}}
	// {{#hex}}
	signature := hex.EncodeToString(mac.Sum(nil))
	// {{/hex}}
	return isEqual(headers.Get("{{header}}"), "{{prefix}}"+signature)
}
// {{/hmac}}
// {{#token}}

func isAuthentic(headers http.Header, body []byte) bool {
	return isEqual(headers.Get("{{header}}"), "{{prefix}}"+secret)
}
// {{/token}}
// {{#echo}}

// Before the first event, the vendor sends its token and expects it back.
func isHandshake(event map[string]any) bool {
	_, hasToken := event["{{key}}"]
	return len(event) == 0 || len(event) == 1 && hasToken
}
// {{/echo}}

func respond(response http.ResponseWriter, status int, body map[string]string) {
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(status)
	json.NewEncoder(response).Encode(body)
}

func receive(response http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	nothing := map[string]string{}
	var event map[string]any
	err = json.Unmarshal(body, &event)
	// {{#echo}}
	if err == nil && isHandshake(event) {
		token, _ := event["{{key}}"].(string)
		if isEqual(token, secret) || isAuthentic(request.Header, body) {
			respond(response, 200, map[string]string{"{{key}}": secret})
		} else {
			respond(response, 401, nothing)
		}
		return
	}
	// {{/echo}}
	// {{#verified}}
	if !isAuthentic(request.Header, body) {
		respond(response, 401, nothing)
		return
	}
	// {{/verified}}
	if err != nil {
		respond(response, 400, nothing)
		return
	}
	log.Println(event)
	respond(response, 200, nothing)
}

func main() {
	// {{#credential}}
	if secret == "" {
		log.Fatal("set {{env}}")
	}
	// {{/credential}}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	log.Fatal(http.ListenAndServe(":"+port, http.HandlerFunc(receive)))
}
