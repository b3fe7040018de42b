<?php
// Receives and verifies webhooks of {{vendor}}: php -S 0.0.0.0:3000 receiver.php
// {{#credential}}
// Credentials of the test account: standin secrets {{id}} --env
// {{/credential}}
// {{#credential}}

$secret = getenv('{{env}}') ?: throw new RuntimeException('set {{env}}');
// {{/credential}}
$body = file_get_contents('php://input');
// {{#verified}}
$received = $_SERVER['{{header_cgi}}'] ?? '';
// {{/verified}}
// {{#hmac}}
// The signature covers the bytes that arrived: never parse and re-serialize them first.
// {{#base64}}
$signature = base64_encode(hash_hmac('{{hash}}', $body, $secret, true));
// {{/base64}}
// {{#hex}}
$signature = hash_hmac('{{hash}}', $body, $secret);
// {{/hex}}
$isAuthentic = hash_equals('{{prefix}}' . $signature, $received);
// {{/hmac}}
// {{#token}}
$isAuthentic = hash_equals('{{prefix}}' . $secret, $received);
// {{/token}}

function respond(int $status, array $body): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode((object) $body);
    exit;
}

$event = json_decode($body, true);
// {{#echo}}
// Before the first event, the vendor sends its token and expects it back.
if (is_array($event) && array_diff(array_keys($event), ['{{key}}']) === []) {
    $isKnown = hash_equals($secret, (string) ($event['{{key}}'] ?? '')) || $isAuthentic;
    respond($isKnown ? 200 : 401, $isKnown ? ['{{key}}' => $secret] : []);
}
// {{/echo}}
// {{#verified}}
if (!$isAuthentic) {
    respond(401, []);
}
// {{/verified}}
if (!is_array($event)) {
    respond(400, []);
}
error_log($body);
respond(200, []);
