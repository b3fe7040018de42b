// Receives and verifies webhooks of {{vendor}}: in a project of `dotnet new web`, as Program.cs
// {{#credential}}
// Credentials of the test account: standin secrets {{id}} --env
// {{/credential}}
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

// {{#credential}}
var secret = Environment.GetEnvironmentVariable("{{env}}")
    ?? throw new InvalidOperationException("set {{env}}");
// {{/credential}}
var port = Environment.GetEnvironmentVariable("PORT") ?? "3000";
var app = WebApplication.CreateBuilder(args).Build();
// {{#credential}}

// Takes the same time wherever the texts differ.
bool IsEqual(string? received, string expected) => CryptographicOperations.FixedTimeEquals(
    Encoding.UTF8.GetBytes(received ?? ""), Encoding.UTF8.GetBytes(expected));
// {{/credential}}
// {{#hmac}}

// The signature covers the bytes that arrived: never parse and re-serialize them first.
bool IsAuthentic(HttpRequest request, byte[] body)
{
    var digest = HMAC{{HASH}}.HashData(Encoding.UTF8.GetBytes(secret), body);
    // {{#base64}}
    var signature = Convert.ToBase64String(digest);
    // {{/base64}}
    // {{#hex}}
    var signature = Convert.ToHexString(digest).ToLowerInvariant();
    // {{/hex}}
    return IsEqual(request.Headers["{{header}}"], "{{prefix}}" + signature);
}
// {{/hmac}}
// {{#token}}

bool IsAuthentic(HttpRequest request, byte[] body) =>
    IsEqual(request.Headers["{{header}}"], "{{prefix}}" + secret);
// {{/token}}

app.MapPost("/{**path}", async (HttpRequest request) =>
{
    using var buffer = new MemoryStream();
    await request.Body.CopyToAsync(buffer);
    var body = buffer.ToArray();
    Dictionary<string, JsonElement>? json = null;
    try { json = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(body); }
    catch (JsonException) { }
    // {{#echo}}
    // Before the first event, the vendor sends its token and expects it back.
    if (json is not null && json.Keys.All(key => key == "{{key}}"))
    {
        var token = json.TryGetValue("{{key}}", out var value) ? value.ToString() : null;
        return IsEqual(token, secret) || IsAuthentic(request, body)
            ? Results.Json(new Dictionary<string, string> { ["{{key}}"] = secret })
            : Results.StatusCode(401);
    }
    // {{/echo}}
    // {{#verified}}
    if (!IsAuthentic(request, body)) return Results.StatusCode(401);
    // {{/verified}}
    if (json is null) return Results.StatusCode(400);
    Console.WriteLine(Encoding.UTF8.GetString(body));
    return Results.Json(new { });
});
app.Run($"http://0.0.0.0:{port}");
