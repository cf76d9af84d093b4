using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Tests.Access;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Api;

/// <summary>Requests made from the OpenAPI document by seeds: wrong kinds, missing members, huge and odd values, ids of nothing. Whatever
/// comes, the answer is one that the API promises, and never a 500.</summary>
public sealed class ApiFuzzTests(SchedulerDatabases databases)
{
    static readonly string[] OddTexts = ["", " ", "x", "'; drop table policy; --", "\u0000", "\ud83d\ude00", "../../../etc/passwd",
        "%00", "-1",
        "99999999999999999999", "null", "<script>alert(1)</script>", "\r\nSet-Cookie: a=b", new string('a', 5000), "é\u0301\u202e",
        "2026-13-45T99:99:99Z", "00:00:00", "host=*", "1e308", "0x10", "{\"a\":1}"];

    static readonly string[] OddNumbers = ["-1", "0", "1", "2147483648", "-9223372036854775808", "9223372036854775807", "1e308", "1.5",
        "1e-400",
        "99999999999999999999999"];

    static int Rounds => Nightly.IsOn ? 200 : 12;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task No_request_that_the_document_allows_or_forbids_breaks_the_node(int seed)
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/web");
        await fleet.Finish(host, _ => Fleet.Backup());
        using var document = JsonDocument.Parse(await fleet.Node.Client().GetStringAsync("/api/v1/openapi.json"));
        var random = new Random(seed);
        var ids = new[] { host.ToString(), policy.Id.ToString(), policy.Items[0].Id.ToString(), policy.Items[0].Repository.ToString() };
        var maker = new RequestMaker(document.RootElement, random, ids);
        var broken = new List<string>();
        foreach (var path in document.RootElement.GetProperty("paths").EnumerateObject())
        {
            foreach (var operation in path.Value.EnumerateObject())
            {
                // Own keys each, so that none waits for its rate; sign-ins are limited by address.
                var client = fleet.Node.Client(await fleet.Node.Key($"fuzz-{operation.Value.GetProperty("operationId").GetString()}",
                    new RoleGrant("Admin")));
                client.Timeout = TimeSpan.FromMinutes(1);
                for (var round = 0; round < Rounds; round++)
                {
                    using var message = maker.Make(path.Name, operation);
                    var told = $"seed {seed}, round {round}: {message.Method} {message.RequestUri} {maker.LastBody}";
                    using var response = await client.SendAsync(message);
                    if (await Complaint(response) is { } complaint) broken.Add($"{complaint}: {told[..Math.Min(told.Length, 600)]}");
                    if (response.StatusCode == HttpStatusCode.TooManyRequests) break;
                }
            }
        }

        Assert.True(broken.Count == 0, string.Join('\n', broken.Take(40)));
    }

    static async Task<string?> Complaint(HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        if (status < 400) return null;
        var body = await response.Content.ReadAsStringAsync();
        if (status == 414) return null;   // the server's own word about an address that is too long
        if (status == 500) return $"500 {body}";
        if (response.Content.Headers.ContentType?.MediaType != "application/problem+json") return $"{status} without problem details";
        var problem = JsonNode.Parse(body);
        return problem?["code"]?.GetValue<string>() is { Length: > 0 } && problem["title"]?.GetValue<string>() is { Length: > 0 } ? null
            : $"{status} without a code or a title: {body}";
    }

    /// <summary>Makes requests of an operation: some nearly right, most wrong in one or many ways.</summary>
    sealed class RequestMaker(JsonElement document, Random random, string[] ids)
    {
        public string LastBody { get; private set; } = "";

        public HttpRequestMessage Make(string path, JsonProperty operation)
        {
            var query = new List<string>();
            if (operation.Value.TryGetProperty("parameters", out var parameters))
            {
                foreach (var parameter in parameters.EnumerateArray())
                {
                    var name = parameter.GetProperty("name").GetString()!;
                    if (parameter.GetProperty("in").GetString() == "path") path = path.Replace($"{{{name}}}", Segment(),
                        StringComparison.Ordinal);
                    else if (random.Next(3) > 0) query.Add($"{name}={Uri.EscapeDataString(Text())}");
                }
            }
            var message = new HttpRequestMessage(new HttpMethod(operation.Name.ToUpperInvariant()),
                path + (query.Count > 0 ? "?" + string.Join('&', query) : ""));
            LastBody = "";
            if (!operation.Value.TryGetProperty("requestBody", out var body)) return message;
            var schema = body.GetProperty("content").GetProperty("application/json").GetProperty("schema");
            LastBody = random.Next(12) switch
            {
                0 => "",
                1 => "[",
                2 => "null",
                3 => new string('[', 500) + new string(']', 500),
                _ => Value(schema, 0),
            };
            message.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(LastBody));
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(random.Next(20) == 0 ? "text/plain" : "application/json");
            return message;
        }

        string Segment() => random.Next(3) switch
        {
            0 => ids[random.Next(ids.Length)],
            1 => $"{ids[random.Next(ids.Length)].Split('_')[0]}_{Guid.CreateVersion7():N}",
            // The server refuses a NUL in a path before any of our code is asked.
            _ => Uri.EscapeDataString(OddTexts[random.Next(2, OddTexts.Length)].Replace("\0", "", StringComparison.Ordinal)),
        };

        string Text() => random.Next(4) == 0 ? ids[random.Next(ids.Length)] : random.Next(5) == 0
            ? OddNumbers[random.Next(OddNumbers.Length)]
            : OddTexts[random.Next(OddTexts.Length)];

        string Value(JsonElement schema, int depth)
        {
            if (random.Next(10) == 0 || depth > 6) return Odd();
            if (schema.TryGetProperty("$ref", out var reference))
                return Value(document.GetProperty("components").GetProperty("schemas")
                    .GetProperty(reference.GetString()!.Split('/')[^1]), depth);
            foreach (var choice in (string[])["oneOf", "anyOf", "allOf"])
                if (schema.TryGetProperty(choice, out var choices))
                    return Value(choices[random.Next(choices.GetArrayLength())], depth + 1);
            if (schema.TryGetProperty("enum", out var words)) return words[random.Next(words.GetArrayLength())].GetRawText();
            return Kind(schema) switch
            {
                "object" => Object(schema, depth),
                "array" => schema.TryGetProperty("items", out var items)
                    ? $"[{string.Join(',', Enumerable.Range(0, random.Next(4)).Select(_ => Value(items, depth + 1)))}]" : "[]",
                "integer" or "number" => OddNumbers[random.Next(OddNumbers.Length)],
                "boolean" => random.Next(2) == 0 ? "true" : "false",
                "null" => "null",
                _ => JsonSerializer.Serialize(random.Next(4) == 0 ? "/srv/web" : Text()),
            };
        }

        string Object(JsonElement schema, int depth)
        {
            if (!schema.TryGetProperty("properties", out var properties)) return "{}";
            var members = properties.EnumerateObject().Where(_ => random.Next(8) > 0)
                .Select(member => $"{JsonSerializer.Serialize(member.Name)}:{Value(member.Value, depth + 1)}").ToList();
            if (random.Next(6) == 0) members.Add($"\"unknown\":{Odd()}");
            return "{" + string.Join(',', members) + "}";
        }

        static string Kind(JsonElement schema) => !schema.TryGetProperty("type", out var type) ? "string"
            : type.ValueKind == JsonValueKind.Array ? type[type.GetArrayLength() - 1].GetString()! : type.GetString()!;

        string Odd() => random.Next(7) switch
        {
            0 => "null",
            1 => "[]",
            2 => "{}",
            3 => "true",
            4 => OddNumbers[random.Next(OddNumbers.Length)],
            5 => "[[[[]]]]",
            _ => JsonSerializer.Serialize(Text()),
        };
    }
}
