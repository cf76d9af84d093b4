using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Hosts;

public sealed class JoinTests(SchedulerDatabases databases)
{
    static async Task<HttpResponseMessage> Post(TestNode node, JoinRequest request)
        => await node.AgentClient().PostAsync("/agent/v1/join", TestNode.Json(request, WireJson.Default.JoinRequest));

    [Fact]
    public async Task A_host_that_joins_gets_a_certificate_of_its_own_name_and_is_shown_with_its_steps()
    {
        await using var node = await TestNode.Start(databases);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = await node.NewToken();

        var response = await Post(node, TestNode.JoinRequestOf(token.Token, key, "web-1", $"CN={HostId.New(TimeProvider.System)}"));
        var answer = (await response.Content.ReadFromJsonAsync(WireJson.Default.JoinAnswer))!;

        using var certificate = X509Certificate2.CreateFromPem(answer.CertificatePem);
        Assert.Equal($"CN={answer.HostId}", certificate.Subject);   // not the name that the request asked for
        var progress = await node.Get<ShowJoinToken>().Handle(TestNode.Admin, new ShowJoinTokenRequest(token.Id), default);
        Assert.NotNull(progress.JoinedAt);
        Assert.Null(progress.FirstSeenAt);
        Assert.Equal("web-1", progress.Host!.Name);
        Assert.Equal(HostState.Silent, progress.Host.State);
    }

    [Fact]
    public async Task A_token_carries_the_fingerprint_of_the_authority_that_the_node_shows()
    {
        await using var node = await TestNode.Start(databases);
        var token = await node.NewToken();

        var pem = await node.AgentClient().GetStringAsync("/agent/v1/authority");

        using var authority = X509Certificate2.CreateFromPem(pem);
        Assert.EndsWith($"_{Convert.ToHexStringLower(SHA256.HashData(authority.RawData))}", token.Token, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_works_once()
    {
        await using var node = await TestNode.Start(databases);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = await node.NewToken();
        Assert.Equal(HttpStatusCode.OK, (await Post(node, TestNode.JoinRequestOf(token.Token, key))).StatusCode);

        var again = await Post(node, TestNode.JoinRequestOf(token.Token, key));

        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
        Assert.Equal("join.token_used", (await again.Problem()).Code);
    }

    [Fact]
    public async Task A_token_works_for_an_hour()
    {
        await using var node = await TestNode.Start(databases);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = await node.NewToken();
        await node.PassTime(CreateJoinToken.Lifetime);

        var late = await Post(node, TestNode.JoinRequestOf(token.Token, key));

        Assert.Equal("join.token_expired", (await late.Problem()).Code);
        Assert.True((await node.Get<ShowJoinToken>().Handle(TestNode.Admin, new ShowJoinTokenRequest(token.Id), default)).IsExpired);
    }

    [Fact]
    public async Task An_unknown_token_is_refused_as_such()
    {
        await using var node = await TestNode.Start(databases);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        var response = await Post(node, TestNode.JoinRequestOf("bdr1_guess", key));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("join.token_unknown", (await response.Problem()).Code);
    }

    [Fact]
    public async Task Of_fifty_that_use_one_token_at_once_exactly_one_joins()
    {
        await using var node = await TestNode.Start(databases);
        await using var other = await TestNode.Start(databases, shared: node);
        var token = await node.NewToken();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = TestNode.JoinRequestOf(token.Token, key);
        var clients = new[] { node.AgentClient(), other.AgentClient() };

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(at
            => clients[at % 2].PostAsync("/agent/v1/join", TestNode.Json(request, WireJson.Default.JoinRequest))));

        Assert.Equal(1, answers.Count(answer => answer.StatusCode == HttpStatusCode.OK));
        Assert.Equal(49, answers.Count(answer => answer.StatusCode == HttpStatusCode.Conflict));
        Assert.Equal(1, await node.Db.Scalar<long>("select count(*) from host", [], default));
    }

    [Fact]
    public async Task Of_fifty_that_use_a_token_of_three_at_once_exactly_three_join()
    {
        await using var node = await TestNode.Start(databases);
        await using var other = await TestNode.Start(databases, shared: node);
        var token = await node.Get<CreateJoinToken>().Handle(TestNode.Admin, new CreateJoinTokenRequest(Uses: 3), default);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = TestNode.JoinRequestOf(token.Token, key);
        var clients = new[] { node.AgentClient(), other.AgentClient() };

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(at
            => clients[at % 2].PostAsync("/agent/v1/join", TestNode.Json(request, WireJson.Default.JoinRequest))));

        Assert.Equal(3, answers.Count(answer => answer.StatusCode == HttpStatusCode.OK));
        Assert.Equal(47, answers.Count(answer => answer.StatusCode == HttpStatusCode.Conflict));
        var progress = await node.Get<ShowJoinToken>().Handle(TestNode.Admin, new ShowJoinTokenRequest(token.Id), default);
        Assert.Equal((3, 3, 3), (progress.Uses, progress.Used, progress.Hosts!.Count));
    }

    [Fact]
    public async Task A_token_works_for_as_many_hours_as_it_was_made_for()
    {
        await using var node = await TestNode.Start(databases);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = await node.Get<CreateJoinToken>().Handle(TestNode.Admin, new CreateJoinTokenRequest(Uses: 2, Hours: 5), default);
        await node.PassTime(TimeSpan.FromHours(4.9));
        Assert.Equal(HttpStatusCode.OK, (await Post(node, TestNode.JoinRequestOf(token.Token, key))).StatusCode);
        await node.PassTime(TimeSpan.FromHours(0.2));

        Assert.Equal("join.token_expired", (await (await Post(node, TestNode.JoinRequestOf(token.Token, key))).Problem()).Code);
    }

    [Fact]
    public async Task A_token_that_a_node_of_the_version_before_let_a_host_in_with_is_used()
    {
        await using var node = await TestNode.Start(databases);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = await node.NewToken();
        await node.Db.Execute("update join_token set used_at = clock()", [], default);   // it counts no uses

        Assert.Equal("join.token_used", (await (await Post(node, TestNode.JoinRequestOf(token.Token, key))).Problem()).Code);
    }

    [Theory]
    [InlineData(0, null, "uses")]
    [InlineData(-1, null, "uses")]
    [InlineData(10_001, null, "uses")]
    [InlineData(1, 0, "hours")]
    [InlineData(1, 721, "hours")]
    public async Task Uses_and_hours_that_cannot_be_are_told(int uses, int? hours, string field)
    {
        await using var node = await TestNode.Start(databases);

        var e = await Assert.ThrowsAsync<BadInputException>(() => node.Get<CreateJoinToken>().Handle(TestNode.Admin,
            new CreateJoinTokenRequest(Uses: uses, Hours: hours), default));

        Assert.Equal(field, e.Field);
    }

    [Fact]
    public async Task A_request_for_another_kind_of_key_is_refused_and_leaves_the_token_usable()
    {
        await using var node = await TestNode.Start(databases);
        using var rsa = RSA.Create(2048);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = await node.NewToken();
        var wrong = TestNode.JoinRequestOf(token.Token, key) with
        {
            CsrPem = new CertificateRequest("CN=x", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSigningRequestPem(),
        };

        var refused = await Post(node, wrong);
        var joined = await Post(node, TestNode.JoinRequestOf(token.Token, key));

        Assert.Equal("csrPem", (await refused.Problem()).Field);
        Assert.Equal(HttpStatusCode.OK, joined.StatusCode);
    }

    [Theory]
    [InlineData("no certificate request")]
    [InlineData("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----")]
    public async Task A_certificate_request_that_is_none_is_told_by_its_field(string csr)
    {
        await using var node = await TestNode.Start(databases);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        var response = await Post(node, TestNode.JoinRequestOf((await node.NewToken()).Token, key) with { CsrPem = csr });

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("csrPem", (await response.Problem()).Field);
    }

    [Fact]
    public async Task An_agent_of_a_later_protocol_is_told_what_this_node_speaks()
    {
        await using var node = await TestNode.Start(databases);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        var response = await Post(node, TestNode.JoinRequestOf((await node.NewToken()).Token, key) with { ProtocolVersion = 99 });

        Assert.Equal("agent.version", (await response.Problem()).Code);
    }

    [Theory]
    [InlineData(0, "The agent 0.0.9 is too old")]
    [InlineData(-3, "The agent 0.0.9 is too old")]
    [InlineData(AgentProtocol.Version + 1, "The agent 0.0.9 is newer than this node")]
    [InlineData(AgentProtocol.Version, null)]
    public void An_agent_that_a_node_does_not_understand_is_told_which_way_the_difference_goes(int protocol, string? told)
    {
        var e = Record.Exception(() => AgentVersions.Check(protocol, "0.0.9"));

        if (told is null) Assert.Null(e);
        else Assert.Contains(told, Assert.IsType<ConflictException>(e).Message, StringComparison.Ordinal);
    }
}
