using System.Net;
using System.Net.Http.Headers;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Api;

public sealed class MalformedInputTests(SchedulerDatabases databases)
{
    static readonly string[] AgentMessages = ["join", "renew", "inventory", "lease", "report", "complete",
        "requests/req_00000000000000000000000000000000"];

    public static TheoryData<string> Messages => [.. AgentMessages];

    static StringContent Body(string text, string type = "application/json")
    {
        var content = new StringContent(text);
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        return content;
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public async Task Every_agent_message_that_is_no_JSON_of_its_shape_is_refused_with_a_clear_word(string message)
    {
        await using var node = await TestNode.Start(databases);
        var client = node.AgentClient(message == "join" ? null : (await node.Join()).Certificate);   // only a host that has none joins
        foreach (var text in (string[])["", "{", "[]", "null", "\"text\"",
            "{\"slots\":\"many\",\"runId\":7,\"csrPem\":null,\"token\":[],\"mounts\":{},\"listing\":1}", "\u0000"])
        {
            var response = await client.PostAsync($"/agent/v1/{message}", Body(text));

            Assert.True(HttpStatusCode.BadRequest == response.StatusCode, $"'{text}' gave {response.StatusCode}");
            var problem = await response.Problem();
            Assert.Equal("input.invalid", problem.Code);
            Assert.NotEmpty(problem.Title);
            Assert.DoesNotContain("BackupDr.", problem.Title, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public async Task A_body_that_is_not_declared_as_JSON_is_refused(string message)
    {
        await using var node = await TestNode.Start(databases);

        var response = await node.AgentClient((await node.Join()).Certificate).PostAsync($"/agent/v1/{message}", Body("{}", "text/plain"));

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
        Assert.Equal("input.not_json", (await response.Problem()).Code);
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_on_both_listeners()
    {
        await using var node = await TestNode.Start(databases);
        var (agents, people) = (node.AgentClient((await node.Join()).Certificate), node.AdminClient());
        // hear the refusal before sending
        agents.DefaultRequestHeaders.ExpectContinue = people.DefaultRequestHeaders.ExpectContinue = true;

        var agent = await agents.PostAsync("/agent/v1/inventory", Body($"{{\"x\":\"{new string('x', 9 << 20)}\"}}"));
        var person = await people.PostAsync("/api/v1/locations", Body($"{{\"x\":\"{new string('x', 2 << 20)}\"}}"));

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, agent.StatusCode);
        Assert.Equal("input.too_large", (await agent.Problem()).Code);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, person.StatusCode);
    }

    [Theory]
    [InlineData("/api/v1/hosts/web-1", "host")]
    [InlineData("/api/v1/runs/run_1", "run")]
    [InlineData("/api/v1/runs?state=Sleeping", "state")]
    public async Task An_id_or_word_that_is_none_is_told_by_its_field(string path, string field)
    {
        await using var node = await TestNode.Start(databases);

        var response = await node.AdminClient().GetAsync(path);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(field, (await response.Problem()).Field);
    }

    [Fact]
    public async Task What_belongs_to_the_other_listener_does_not_exist()
    {
        await using var node = await TestNode.Start(databases);

        var agentsPath = await node.AdminClient().PostAsync("/agent/v1/join", Body("{}"));
        var apiPath = await node.AgentClient().GetAsync("/api/v1/hosts");
        var installer = await node.Client().GetAsync("/install.sh?token=x");

        Assert.All([agentsPath, apiPath, installer], response => Assert.Equal(HttpStatusCode.NotFound, response.StatusCode));
        Assert.Contains("Agents:Url", (await agentsPath.Problem()).Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_route_that_is_none_and_a_wrong_method_are_problems_too()
    {
        await using var node = await TestNode.Start(databases);

        Assert.Equal("route.not_found", (await (await node.AdminClient().GetAsync("/api/v1/nothing")).Problem()).Code);
        Assert.Equal("route.wrong_method", (await (await node.AdminClient().DeleteAsync("/api/v1/hosts")).Problem()).Code);
    }
}
