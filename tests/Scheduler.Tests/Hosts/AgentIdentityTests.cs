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

public sealed class AgentIdentityTests(SchedulerDatabases databases)
{
    static readonly InventoryRequest Inventory = new() { Processors = 2, MemoryBytes = 1 << 30 };

    static Task<HttpResponseMessage> Record(HttpClient agent)
        => agent.PostAsync("/agent/v1/inventory", TestNode.Json(Inventory, WireJson.Default.InventoryRequest));

    [Fact]
    public async Task What_an_agent_says_is_filed_under_the_host_of_its_certificate()
    {
        await using var node = await TestNode.Start(databases);
        var first = await node.Join("web-1");
        var second = await node.Join("web-2");

        var response = await Record(node.AgentClient(second.Certificate));

        Assert.True(response.IsSuccessStatusCode);
        var hosts = await node.Get<ListHosts>().Handle(TestNode.Admin, new ListHostsRequest(), default);
        Assert.Equal(["web-1", "web-2"], hosts.Select(host => host.Name));
        Assert.Null(hosts.Single(host => host.Id == first.Id).Inventory);
        Assert.Equal(2, hosts.Single(host => host.Id == second.Id).Inventory!.Processors);
    }

    [Theory]
    [InlineData("renew")]
    [InlineData("inventory")]
    [InlineData("lease")]
    [InlineData("report")]
    [InlineData("complete")]
    [InlineData("requests/req_00000000000000000000000000000000")]
    public async Task Without_a_certificate_only_joining_is_possible(string message)
    {
        await using var node = await TestNode.Start(databases);
        var body = message switch
        {
            "renew" => """{"csrPem":"x"}""",
            "lease" => """{"slots":1,"waitSeconds":0}""",
            "report" => """{"runId":"run_00000000000000000000000000000000","epoch":1,"seq":1}""",
            "complete" => """{"runId":"run_00000000000000000000000000000000","epoch":1,"result":{"outcome":"Complete"}}""",
            _ => "{}",
        };

        var response = await node.AgentClient().PostAsync($"/agent/v1/{message}", new StringContent(body, null, "application/json"));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("access.not_signed_in", (await response.Problem()).Code);
    }

    [Fact]
    public async Task A_header_that_names_a_certificate_is_no_identity()
    {
        await using var node = await TestNode.Start(databases);
        var host = await node.Join();
        var client = node.AgentClient();
        client.DefaultRequestHeaders.Add("X-Client-Cert", Uri.EscapeDataString(host.Certificate.ExportCertificatePem()));
        client.DefaultRequestHeaders.Add("X-ARR-ClientCert", Convert.ToBase64String(host.Certificate.RawData));
        client.DefaultRequestHeaders.Add("Authorization", $"Bearer {TestNode.BootstrapKey}");

        Assert.Equal(HttpStatusCode.Unauthorized, (await Record(client)).StatusCode);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_does_not_get_through_the_handshake()
    {
        await using var node = await TestNode.Start(databases);
        var host = await node.Join();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host.Id}", key, HashAlgorithmName.SHA256);
        using var forged = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow()
            .AddDays(1));
        var client = node.AgentClient(TestNode.WithKey(forged.ExportCertificatePem(), key));

        await Assert.ThrowsAsync<HttpRequestException>(() => Record(client));
    }

    [Fact]
    public async Task A_retired_host_is_refused_at_its_next_word()
    {
        await using var node = await TestNode.Start(databases);
        var host = await node.Join();
        var client = node.AgentClient(host.Certificate);
        Assert.True((await Record(client)).IsSuccessStatusCode);

        await node.Get<RetireHost>().Handle(TestNode.Admin, new RetireHostRequest(host.Id), default);
        var response = await Record(client);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("agent.not_admitted", (await response.Problem()).Code);
        Assert.Equal(HostState.Retired, (await node.Get<ShowHost>().Handle(TestNode.Admin, new ShowHostRequest(host.Id), default)).State);
    }

    [Fact]
    public async Task A_renewed_certificate_ends_the_old_one_when_it_is_first_used_and_not_before()
    {
        await using var node = await TestNode.Start(databases);
        var host = await node.Join();
        var old = node.AgentClient(host.Certificate);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var renewal = await old.PostAsync("/agent/v1/renew", TestNode.Json(new RenewRequest(TestNode.Csr(key)),
            WireJson.Default.RenewRequest));
        var answer = (await renewal.Content.ReadFromJsonAsync(WireJson.Default.RenewAnswer))!;

        var oldBefore = await Record(old);
        var fresh = await Record(node.AgentClient(TestNode.WithKey(answer.CertificatePem, key)));
        var oldAfter = await Record(old);

        Assert.True(oldBefore.IsSuccessStatusCode);
        Assert.True(fresh.IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, oldAfter.StatusCode);
    }

    [Fact]
    public async Task Every_node_of_an_installation_shows_the_same_key_and_admits_the_same_hosts()
    {
        await using var node = await TestNode.Start(databases);
        await using var other = await TestNode.Start(databases, shared: node);
        var host = await node.Join();

        Assert.Equal(node.Get<CertificateAuthority>().ListenerPin, other.Get<CertificateAuthority>().ListenerPin);
        Assert.True((await Record(other.AgentClient(host.Certificate))).IsSuccessStatusCode);
    }
}
