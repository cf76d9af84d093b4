using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Trail;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace BackupDr.Scheduler.Tests.Upgrade;

/// <summary>A database that an older version made is brought to this one, and everything in it goes on.</summary>
public sealed class UpgradeTests(SchedulerDatabases databases)
{
    static readonly CancellationToken NoStop = CancellationToken.None;

    async Task<TestNode> Upgraded()
    {
        var connection = await databases.Server.NewDatabase("former", async template =>
        {
            await using var source = NpgsqlDataSource.Create($"{template};Pooling=false");
            await new Migrator(source, TimeProvider.System, NullLogger<Migrator>.Instance).Run(NoStop,
                [.. Migrator.Files().Select(file => file.Name).Where(FormerDatabase.Knew)]);
            await FormerDatabase.Fill(template);
        });
        var key = Path.Combine(Directory.CreateTempSubdirectory("bdr-former-").FullName, "sealing.key");
        FormerDatabase.WriteKey(key);
        return await TestNode.Start(databases, settings => settings with
        {
            Database = new DatabaseOptions { ConnectionString = connection },
            Secrets = new SecretsOptions { KeyFile = key },
        });
    }

    [Fact]
    public async Task Policies_points_runs_secrets_people_and_the_audit_log_are_there()
    {
        await using var node = await Upgraded();
        var policies = await node.Get<ListPolicies>().Handle(TestNode.Admin, new ListPoliciesRequest(), NoStop);
        var points = await node.Get<ListRecoveryPoints>().Handle(TestNode.Admin, new ListRecoveryPointsRequest(), NoStop);
        var locations = await node.Get<ListLocations>().Handle(TestNode.Admin, new ListLocationsRequest(), NoStop);
        var far = locations.Single(location => location.Name == "Far");
        var signedIn = await node.Get<SignIn>().Handle(Caller.Anonymous(),
            new SignInRequest("admin", FormerDatabase.OneTimePassword), NoStop);
        var audit = await node.Get<VerifyAudit>().Handle(TestNode.Admin, new VerifyAuditRequest(), NoStop);

        Assert.Equal([1, 2], policies.Select(policy => policy.Items.Count).Order());
        Assert.Equal("moved house", Assert.Single(policies, policy => policy.PausedAt is not null).PauseReason);
        // What that version did not know has the defaults of this one.
        Assert.All(policies, policy => Assert.Equal((new Contracts.Specs.RetentionSpec().Trash, new Contracts.Specs.RetentionSpec().Floor),
            (policy.Spec.Retention.Trash, policy.Spec.Retention.Floor)));
        Assert.True(points.Count >= 2, $"{points.Count} points");
        Assert.Equal(FormerDatabase.SecretKey,
            (await node.Get<LocationSecrets>().Find(node.Db, far.Id, NoStop)).Credentials?.SecretKey);
        Assert.True(signedIn.Me.MustChangePassword);
        Assert.Contains(signedIn.Me.Roles ?? [], role => role.Role == "Admin");
        Assert.Empty(audit.Problems);
        Assert.True(audit.Entries > 5, $"{audit.Entries} entries");
        Assert.True((await node.Get<RevealRepositoryPassword>().Handle(TestNode.Admin, new RevealRepositoryPasswordRequest(
            (await node.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), NoStop))[0].Id), NoStop))
            .Password.Length >= 16);
    }

    [Fact]
    public async Task Every_list_of_the_API_answers()
    {
        await using var node = await Upgraded();
        using var document = JsonDocument.Parse(await node.Client().GetStringAsync("/api/v1/openapi.json"));
        var wrong = new List<string>();
        var asked = 0;
        foreach (var path in document.RootElement.GetProperty("paths").EnumerateObject())
        {
            if (path.Name.Contains('{', StringComparison.Ordinal) || !path.Value.TryGetProperty("get", out var get)) continue;
            if (get.TryGetProperty("parameters", out var parameters) && parameters.EnumerateArray().Any(one
                => one.TryGetProperty("required", out var required) && required.GetBoolean())) continue;   // of one thing, not a list
            asked++;
            using var answer = await node.AdminClient().GetAsync(path.Name);
            if (!answer.IsSuccessStatusCode) wrong.Add($"{path.Name}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        }

        Assert.True(asked > 20, $"{asked} lists");
        Assert.Empty(wrong);
    }

    /// <summary>The bodies are what an agent of that version sends: without any member that came later.</summary>
    [Fact]
    public async Task An_agent_of_the_version_before_goes_on_with_the_run_that_was_lost_in_between()
    {
        await using var node = await Upgraded();
        var host = (await node.Db.First("select host_id, id from run where state in ('Leased', 'Running')", [],
            row => (Host: row.Id<HostId>("host_id"), Run: row.Id<RunId>("id")), NoStop));
        // Its lease ended while the nodes were exchanged; what is queued again waits a little.
        Assert.Equal(1, await node.Get<LeaseExpiry>().Run(NoStop));
        await node.Db.Execute("update run set due_at = clock() where state = 'Queued'", [], NoStop);

        async Task<LeasedRun?> Lease() => (await node.Get<LeaseRun>().Handle(Caller.Agent(host.Host), Body(
            """{"slots":2,"waitSeconds":0,"load":0.1,"agentVersion":"0.0.9","protocolVersion":1,"running":[]}""",
            WireJson.Default.LeaseRequest), NoStop)).Run;
        var runs = new List<LeasedRun>();
        while (await Lease() is { } run)
        {
            runs.Add(run);
            var isLost = run.RunId == host.Run;
            var text = """
                {"runId":"RUN","epoch":EPOCH,"result":{"outcome":"Complete","backup":{"snapshotId":"SNAPSHOT",
                "takenAt":"2026-11-22T12:00:00+00:00","files":3,"bytes":1000}}}
                """.Replace("RUN", run.RunId.ToString(), StringComparison.Ordinal)
                .Replace("EPOCH", $"{run.Epoch}", StringComparison.Ordinal)
                .Replace("SNAPSHOT", new string('9', 64), StringComparison.Ordinal);
            await node.Get<CompleteRun>().Handle(Caller.Agent(host.Host), Body(text, WireJson.Default.CompleteRequest), NoStop);
            if (isLost) break;
        }

        Assert.Contains(runs, run => run.RunId == host.Run && run.Epoch > 1);
        Assert.Equal(RunState.Complete, (await node.Get<ShowRun>().Handle(TestNode.Admin, new ShowRunRequest(host.Run), NoStop)).State);
        Assert.Equal("0.0.9", await node.Db.Scalar<string>("select agent_version from host where id = $1", [host.Host], NoStop));
    }

    static T Body<T>(string text, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> shape)
        => JsonSerializer.Deserialize(text, StoredJson.Of(shape))!;

    [Fact]
    public async Task The_version_before_does_not_start_on_it_any_more_and_says_what_it_does_not_know()
    {
        await using var node = await Upgraded();
        await using var source = NpgsqlDataSource.Create(node.ConnectionString);
        var later = Migrator.Files().Select(file => file.Name).Where(name => !FormerDatabase.Knew(name)).Max(StringComparer.Ordinal)!;
        var former = new Migrator(source, TimeProvider.System, NullLogger<Migrator>.Instance)
        {
            Known = [.. Migrator.Files().Where(file => FormerDatabase.Knew(file.Name))],
        };

        var e = await Assert.ThrowsAsync<ConflictException>(() => former.Run(NoStop));

        Assert.Equal("database.newer", e.Code);
        Assert.Contains(later, e.Message, StringComparison.Ordinal);
        Assert.Contains("restore the database of this one", e.Hint, StringComparison.Ordinal);
    }
}
