using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Alerts;
using Microsoft.AspNetCore.Http;
using static BackupDr.Scheduler.Tests.Runbooks.Steps.StepBench;

namespace BackupDr.Scheduler.Tests.Runbooks.Steps;

/// <summary>Calls of a real listener, and of sockets that break off: what arrived is counted there.</summary>
public sealed class HttpCallTests
{
    readonly StepBench _bench = new();

    HttpCall Executor() => new(_bench, _bench, TimeProvider.System);

    static StepSpec Call(string url, string method = "POST", Func<HttpSpec, HttpSpec>? change = null)
        => Step(StepKind.Http, step => step with { Http = (change ?? (http => http))(new HttpSpec { Method = method, Url = url }) });

    [Fact]
    public async Task A_call_goes_out_once_with_key_and_token_and_its_answer_is_kept_as_a_digest()
    {
        await using var sink = await WebSink.Start();
        string? token = null;
        sink.Answer = response =>
        {
            token = response.HttpContext.Request.Headers.Authorization.ToString() + response.HttpContext.Request.Headers["X-Site"];
            return response.WriteAsync("""{"nodes":[{"state":"up"}]}""");
        };
        _bench.Secrets["lb-token"] = "s3cret-token";
        var step = Call(sink.Url + "/switch?key=hidden", change: http => http with
        {
            Body = """{"to":"dr"}""",
            BearerSecret = "lb-token",
            Headers = new Dictionary<string, string> { ["X-Site"] = "dr" },
            Expect = new HttpExpectation { Status = [200], Contains = "nodes", JsonPath = "$.nodes[0].state", JsonGives = "up" },
        });

        Is(ActivityOutcome.Succeeded, "Not called: it would be POST", await Executor().CarryOut(Work(step, StepActivity.Simulate), NoStop));
        Is(ActivityOutcome.Succeeded, "Not called", await Executor().CarryOut(Work(step, mode: ExecutionMode.Rehearsal), NoStop));
        Assert.Empty(sink.All);
        var done = await Executor().CarryOut(Work(step), NoStop);

        Is(ActivityOutcome.Succeeded, "answers 200", done);
        Assert.Equal(("200", "up", Convert.ToHexStringLower(SHA256.HashData("""{"nodes":[{"state":"up"}]}"""u8))),
            (done.Outputs!["status"], done.Outputs["found"], done.Outputs["sha256"]));
        var posted = Assert.Single(sink.All);
        Assert.Equal(("POST", "/switch?key=hidden", "execution_1/step/1", """{"to":"dr"}""", "Bearer s3cret-tokendr"),
            (posted.Method, posted.Path, posted.Key, posted.Text, token));
        Assert.DoesNotContain("hidden", done.Text, StringComparison.Ordinal);
        Assert.All(done.Outputs.Values, value => Assert.DoesNotContain("s3cret", value, StringComparison.Ordinal));
        // A node that takes over the same attempt does not know what came of it, and does not send it again.
        Is(ActivityOutcome.Unknown, "nobody knows", await Executor().CarryOut(Work(step), NoStop));
        Assert.Single(sink.All);
        Is(ActivityOutcome.Succeeded, "answers 200", await Executor().CarryOut(Work(step, attempt: 2), NoStop));
        Assert.Equal("execution_1/step/2", sink.All.Last().Key);
    }

    [Theory]
    [InlineData("GET", false, 2)]
    [InlineData("PUT", false, 2)]
    [InlineData("DELETE", false, 2)]
    [InlineData("PATCH", false, 1)]
    [InlineData("POST", true, 2)]
    public async Task What_may_be_sent_again_is_sent_again_by_whoever_takes_over(string method, bool isRepeatable, int times)
    {
        await using var sink = await WebSink.Start();
        var step = Call(sink.Url, method, http => http with { IsRepeatable = isRepeatable });

        await Executor().CarryOut(Work(step), NoStop);
        await Executor().CarryOut(Work(step), NoStop);

        Assert.Equal(times, sink.All.Count);
        Assert.Single(sink.All.Select(posted => posted.Key).Distinct());
    }

    [Fact]
    public async Task Another_answer_than_the_expected_one_is_told()
    {
        await using var sink = await WebSink.Start();
        async Task Fails(string text, string body, int status, HttpExpectation? expect = null, string? location = null)
        {
            sink.Answer = response =>
            {
                response.StatusCode = status;
                if (location is not null) response.Headers.Location = location;
                return response.WriteAsync(body);
            };
            Is(ActivityOutcome.Failed, text, await Executor().CarryOut(Work(Call(sink.Url, "PUT", http => http with
            {
                Expect = expect ?? new(),
            })), NoStop));
        }
        await Fails("answers 503. It says: down", "down\n", 503);
        await Fails("answers 200, without 'ok' in it. It says: no", "no", 200, new() { Contains = "ok" });
        await Fails("with nothing at $.a", "no json", 200, new() { JsonPath = "$.a" });
        await Fails("with '2' at $.a and not '1'", """{"a":2}""", 200, new() { JsonPath = "$.a", JsonGives = "1" });
        await Fails("answers 200", "", 200, new() { Status = [201] });
        sink.All.Clear();
        await Fails("answers 302. It leads to http://other.example.org/x, which is not followed.", "", 302,
            location: "http://other.example.org/x?token=1");
        Assert.Single(sink.All);
    }

    [Fact]
    public async Task It_is_known_whether_a_call_may_have_arrived()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var url = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/";
        var seen = 0;
        async Task Break(string reply)
        {
            using var client = await listener.AcceptTcpClientAsync();
            var read = await client.GetStream().ReadAsync(new byte[4096]);
            if (read > 0) seen++;
            await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(reply));
        }
        foreach (var reply in (string[])["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "nonsense\r\n\r\n"])
        {
            var broken = Break(reply);
            Is(ActivityOutcome.Unknown, "broke off", await Executor().CarryOut(Work(Call(url, "DELETE")), NoStop));
            await broken;
        }
        Assert.Equal(3, seen);   // once each: nothing was sent again by itself
        var cut = Break("");
        Is(ActivityOutcome.Failed, "broke off", await Executor().CarryOut(Work(Call(url, "GET")), NoStop));
        await cut;
        Is(ActivityOutcome.Unknown, "did not answer within", await Executor().CarryOut(
            Work(Call(url, "DELETE"), patience: TimeSpan.Zero), NoStop));
        listener.Stop();
        Is(ActivityOutcome.Failed, "was not reached", await Executor().CarryOut(Work(Call(url, "DELETE")), NoStop));
        Is(ActivityOutcome.Failed, "Nothing was sent", await Executor().CarryOut(Work(Call("http://169.254.169.254/", "DELETE")), NoStop));
        Is(ActivityOutcome.Failed, "no stored secret 'gone'", await Executor().CarryOut(Work(Call(url, "DELETE", http => http with
        {
            BearerSecret = "gone",
        })), NoStop));
    }

    [Fact]
    public async Task Undoing_makes_the_call_that_is_named_for_it_and_a_rehearsal_its_own()
    {
        await using var sink = await WebSink.Start();
        var step = Call(sink.Url + "/on", change: http => http with
        {
            Undo = new HttpCallSpec { Method = "POST", Url = sink.Url + "/off" },
            Rehearsal = new HttpCallSpec { Method = "POST", Url = sink.Url + "/try" },
        });
        await Executor().CarryOut(Work(step, StepActivity.Compensate, attempt: 2), NoStop);
        await Executor().CarryOut(Work(step, mode: ExecutionMode.Rehearsal, attempt: 3), NoStop);
        Assert.Equal(["/off", "/try"], sink.All.Select(posted => posted.Path));

        Is(ActivityOutcome.Failed, "says no call that undoes it", await Executor().CarryOut(
            Work(Call(sink.Url), StepActivity.Compensate), NoStop));
        Is(ActivityOutcome.Succeeded, "changed nothing", await Executor().CarryOut(
            Work(Call(sink.Url, "GET"), StepActivity.Compensate), NoStop));
        var without = Call(sink.Url, change: http => http with { Undo = new HttpCallSpec { Url = sink.Url, BearerSecret = "gone" } });
        Assert.Equal("steps.step.http.undo.bearerSecret", Assert.Single(await Executor().Evaluate(Work(without), NoStop)).Place);
    }
}
