using System.Text.Json;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using static BackupDr.Contracts.Tests.Rules.Runbooks.Drive;

namespace BackupDr.Contracts.Tests.Rules.Runbooks;

/// <summary>Parameters of the kinds that a node carries out, and what a rehearsal may touch.</summary>
public sealed class KindProblemsTests
{
    static StepSpec Http(Func<HttpSpec, HttpSpec> change) => Step("a", kind: StepKind.Http) is var step
        ? step with { Http = change(step.Http!) } : step;

    static StepSpec Dns(Func<DnsSpec, DnsSpec> change) => Step("a") is var step ? step with { Dns = change(step.Dns!) } : step;

    static StepSpec Lb(Func<LbSpec, LbSpec> change) => Step("a", kind: StepKind.LbSwitch) is var step
        ? step with { Lb = change(step.Lb!) } : step;

    static StepSpec Health(HealthSpec health) => Step("a", kind: StepKind.HealthWait) with { Health = health };

    public static TheoryData<string, StepSpec> Bad() => new()
    {
        { "steps.a.dns", Step("a") with { Dns = null } },
        { "steps.a.http", Step("a", kind: StepKind.Http) with { Http = null } },
        { "steps.a.lb", Step("a", kind: StepKind.LbSwitch) with { Lb = null } },
        { "steps.a.health", Step("a", kind: StepKind.HealthWait) with { Health = null } },
        { "steps.a.notify", Step("a", kind: StepKind.Notify) with { Notify = null } },
        { "steps.a.notify", Step("a") with { Notify = new NotifySpec { Subject = "x" } } },
        { "steps.a.http.method", Http(http => http with { Method = "post" }) },
        { "steps.a.http.url", Http(http => http with { Url = "ftp://example.org/" }) },
        { "steps.a.http.url", Http(http => http with { Url = "https://me:secret@example.org/" }) },
        { "steps.a.http.headers", Http(http => http with { Headers = new Dictionary<string, string> { ["Authorization"] = "Bearer x" } }) },
        { "steps.a.http.headers", Http(http => http with { Headers = new Dictionary<string, string> { ["X"] = "a\r\nHost: b" } }) },
        { "steps.a.http.headers", Http(http => http with { Headers = new Dictionary<string, string> { ["X Y"] = "a" } }) },
        { "steps.a.http.body", Http(http => http with { Method = "GET", Body = "x" }) },
        { "steps.a.http.bearerSecret", Http(http => http with { BearerSecret = "Ab+/=" }) },
        { "steps.a.http.expect.status", Http(http => http with { Expect = new HttpExpectation { Status = [99] } }) },
        { "steps.a.http.expect.jsonPath", Http(http => http with { Expect = new HttpExpectation { JsonPath = "$..a" } }) },
        { "steps.a.http.expect.jsonGives", Http(http => http with { Expect = new HttpExpectation { JsonGives = "up" } }) },
        { "steps.a.http.undo.url", Http(http => http with { Undo = new HttpCallSpec { Url = "x" } }) },
        { "steps.a.dns.server", Dns(dns => dns with { Server = "ns1.example.org:99999" }) },
        { "steps.a.dns.record", Dns(dns => dns with { Record = "shop.example.com" }) },
        { "steps.a.dns.record", Dns(dns => dns with { Record = "badexample.org" }) },
        { "steps.a.dns.record", Dns(dns => dns with { Record = "a..example.org" }) },
        { "steps.a.dns.keySecret", Dns(dns => dns with { KeySecret = "" }) },
        { "steps.a.dns.to", Dns(dns => dns with { To = [] }) },
        { "steps.a.dns.to", Dns(dns => dns with { To = ["10.1"] }) },
        { "steps.a.dns.to", Dns(dns => dns with { To = ["2001:db8::1"] }) },
        { "steps.a.dns.to", Dns(dns => dns with { Type = DnsRecordKind.Aaaa, To = ["192.0.2.1"] }) },
        { "steps.a.dns.to", Dns(dns => dns with { Type = DnsRecordKind.Cname, To = ["a.example.org", "b.example.org"] }) },
        { "steps.a.dns.to", Dns(dns => dns with { Type = DnsRecordKind.Txt, To = ["a\nb"] }) },
        { "steps.a.dns.from", Dns(dns => dns with { From = ["x"] }) },
        { "steps.a.dns.ttl", Dns(dns => dns with { Ttl = TimeSpan.Zero }) },
        { "steps.a.dns.rehearsal.record", Dns(dns => dns with { Rehearsal = dns with { Record = "SHOP.example.org." } }) },
        { "steps.a.lb.address", Lb(lb => lb with { Address = "192.0.2.5" }) },
        { "steps.a.lb.address", Lb(lb => lb with { Address = "unix:relative" }) },
        { "steps.a.lb.servers", Lb(lb => lb with { Servers = [] }) },
        { "steps.a.lb.servers", Lb(lb => lb with { Servers = [new() { Name = "be/s1; shutdown", State = LbState.Drain }] }) },
        { "steps.a.lb.servers", Lb(lb => lb with { Servers = [new() { Name = "be/s1\nx", State = LbState.Drain }] }) },
        { "steps.a.lb.servers", Lb(lb => lb with { Servers = [new() { Name = "be/s1" }] }) },
        { "steps.a.lb.servers", Lb(lb => lb with { Servers = [new() { Name = "be/s1", Weight = 257 }] }) },
        { "steps.a.lb.servers", Lb(lb => lb with { Servers = [.. lb.Servers, .. lb.Servers] }) },
        { "steps.a.lb.rehearsal.servers", Lb(lb => lb with { Rehearsal = lb }) },
        { "steps.a.health", Health(new HealthSpec()) },
        { "steps.a.health", Health(new HealthSpec { Tcp = "a:1", Http = new HttpCallSpec { Url = "http://a/" } }) },
        { "steps.a.health.tcp", Health(new HealthSpec { Tcp = "a" }) },
        { "steps.a.health.http.method", Health(new HealthSpec { Http = new HttpCallSpec { Method = "POST", Url = "http://a/" } }) },
        { "steps.a.health.sql.connectionSecret", Health(new HealthSpec { Sql = new SqlProbe { ConnectionSecret = "Host=a;Password=b" } }) },
        { "steps.a.health.for", Health(new HealthSpec { Tcp = "a:1", For = TimeSpan.FromMinutes(5) }) },
        { "steps.a.health.every", Health(new HealthSpec { Tcp = "a:1", Every = TimeSpan.Zero }) },
        { "steps.a.notify.subject", Step("a", kind: StepKind.Notify) with { Notify = new NotifySpec { Subject = " " } } },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void What_is_wrong_is_said_with_its_place(string place, StepSpec step)
        => Assert.Contains(RunbookProblems.Of(Book(step)), one => one.Place == place && one.Problem.Length > 0 && one.Advice.Length > 0);

    [Fact]
    public void What_is_right_or_still_to_be_filled_in_is_taken()
    {
        foreach (var kind in Enum.GetValues<StepKind>())
            Assert.DoesNotContain(RunbookProblems.Of(Book(Step("a", kind: kind))), one
                => one.Place.Split('.')[^1] is "dns" or "http" or "lb" or "health" or "notify" or "rehearsal");
        Assert.Empty(RunbookProblems.Of(Book(Step("db"), Step("a", "db") with
        {
            Dns = Step("a").Dns! with { Server = "[2001:db8::53]:5353", Record = "shop.example.org", To = ["${db.address}"] },
        })));
    }

    [Theory]
    [InlineData("$", """{"a":1}""", """{"a":1}""")]
    [InlineData("$.a.b[1].c-d", """{"a":{"b":[0,{"c-d":"x"}]}}""", "x")]
    [InlineData("$['a b'][0]", """{"a b":[true]}""", "true")]
    [InlineData("$.a", """[1]""", null)]
    [InlineData("$[1]", """[1]""", null)]
    [InlineData("$.n", """{"n":null}""", "null")]
    public void A_place_in_JSON_gives_what_stands_there(string path, string json, string? expected)
    {
        using var document = JsonDocument.Parse(json);
        Assert.Equal(expected, JsonPlace.Parse(path)!.Of(document.RootElement));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("$a")]
    [InlineData("$.")]
    [InlineData("$[")]
    [InlineData("$[-1]")]
    [InlineData("$[*]")]
    [InlineData("$['']")]
    [InlineData("$[?(@.a)]")]
    [InlineData("$[99999999999]")]
    public void What_is_no_place_is_none(string path) => Assert.Null(JsonPlace.Parse(path));

    static string? Refusal(StepSpec step, params StepSpec[] others)
        => ProductionAddresses.Of(Book([step, .. others])).Refusal(step with { InRehearsal = InRehearsal.Do });

    [Fact]
    public void A_rehearsal_touches_nothing_that_the_same_runbook_changes()
    {
        var (dns, lb, http) = (Step("dns"), Step("lb", kind: StepKind.LbSwitch), Step("http", kind: StepKind.Http));
        var sandbox = dns.Dns!.Rehearsal!;

        Assert.All([dns, lb, http], step => Assert.Null(Refusal(step, dns, lb, http)));
        Assert.All([dns with { Dns = dns.Dns with { Rehearsal = null } }, lb with { Lb = lb.Lb! with { Rehearsal = null } },
            http with { Http = http.Http! with { Rehearsal = null } }], step
            => Assert.EndsWith("names nothing of its own to do it at: production would be changed.", Refusal(step),
                StringComparison.Ordinal));
        Assert.Equal("A rehearsal would touch shop.example.org, which is production of this runbook.",
            Refusal(Step("other") with
            {
                Dns = dns.Dns with { Record = "x.example.org", Rehearsal = sandbox with { Record = "Shop.example.org." } },
            }, dns));
        Assert.Contains("192.0.2.5:9999 be/dr", Refusal(Step("other", kind: StepKind.LbSwitch) with
        {
            Lb = new LbSpec { Address = "192.0.2.5:9999", Servers = [new() { Name = "be/x", State = LbState.Drain }], Rehearsal = lb.Lb },
        }, lb), StringComparison.Ordinal);
        foreach (var url in (string[])["https://shop.example.org/x", "http://192.0.2.20:8080/", "https://lb.example.org/"])
        {
            Assert.NotNull(Refusal(http with { Http = http.Http! with { Rehearsal = new HttpCallSpec { Url = url } } }, dns));
            Assert.NotNull(Refusal(Health(new HealthSpec { Http = new HttpCallSpec { Url = url } }), dns, http));
        }
        Assert.NotNull(Refusal(Health(new HealthSpec { Tcp = "192.0.2.20:5432" }), dns));
        Assert.Null(Refusal(Health(new HealthSpec { Tcp = "192.0.2.20:5432", Rehearsal = new() { Tcp = "127.0.0.1:1" } }), dns));
        var production = new PostgreSqlSpec { Host = "DB.example.org" };
        var promote = Step("promote", kind: StepKind.DbPromote) with { Promote = new() { Host = "db-b", Cluster = production } };
        var asked = Step("ask", kind: StepKind.DbAssert) with
        {
            Assert = new() { Host = "db-b", RehearsalHost = "dr-1", Cluster = production, Query = "select true" },
        };
        Assert.Equal("A rehearsal would touch db.example.org:5432, which is production of this runbook.", Refusal(asked, promote));
        Assert.Null(Refusal(asked with { Assert = asked.Assert with { RehearsalCluster = new() { Host = "localhost" } } }, promote));
        Assert.Null(Refusal(asked with { Assert = asked.Assert with { Cluster = new() } }, promote));   // a socket of each host's own
        StepSpec Reaching(string end) => Step("run", kind: StepKind.Script) with
        { Script = new() { Host = "web-1", RehearsalHost = "dr-1", RehearsalReaches = [end] } };
        var at = promote with { Promote = promote.Promote with { Cluster = new() { Host = "10.1.0.5" } } };
        Assert.NotNull(Refusal(Reaching("10.1.0.5:5432"), at));
        Assert.NotNull(Refusal(Reaching("192.0.2.20:1"), dns));
        Assert.Null(Refusal(Reaching("10.1.0.5:5433"), at));
        // What is only looked at in a rehearsal touches nothing, and saving a runbook says so too.
        Assert.Null(ProductionAddresses.Of(Book(dns)).Refusal(dns with { Dns = dns.Dns with { Rehearsal = null } }));
        Assert.Contains(RunbookProblems.Of(Book(dns with { InRehearsal = InRehearsal.Do, Dns = dns.Dns with { Rehearsal = null } })),
            one => one.Place == "steps.dns.rehearsal");
    }
}
