using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>An agent that is cut off for longer than its lease, and one that is frozen: their runs are queued again, what they still wanted
/// to write is not written, and repositories are clean.</summary>
public sealed class ZombieTests
{
    static readonly FilePath Protected = FilePath.FromText("/srv/data");

    [Fact]
    public async Task Runs_of_a_cut_off_and_of_a_frozen_agent_are_made_again_and_their_old_leases_write_nothing()
    {
        Assert.SkipWhen(IsolatedHost.Missing() is not null && Environment.GetEnvironmentVariable("CI") is null,
            $"needs {IsolatedHost.Missing()}");
        Tool.Need("restic", "restic");
        var ct = TestContext.Current.CancellationToken;
        await using var service = new Service();
        await service.StartSmall();
        using var api = service.Api();
        using var http = service.Http();
        var office = await api.CreateLocation(new CreateLocationRequest
        {
            Name = "Office",
            Kind = LocationKind.Gateway,
            Path = FilePath.FromText(service.Folder("office")),
            Bandwidth = "32 KiB/s",
        }, ct);
        await using var cut = await Machine("cut", ct);
        await using var frozen = await Machine("frozen", ct);
        var first = await Protect(service, api, http, cut, office.Id, ct);
        var second = await Protect(service, api, http, frozen, office.Id, ct);
        await service.Until(async () => await IsAtWork(http, first) && await IsAtWork(http, second), "both send what they read");

        await Shell(cut, "ip link set eth0 down", ct);
        await Shell(frozen, "kill -STOP $(cat /srv/agent.pid)", ct);
        using (var edit = await http.PutAsJsonAsync($"locations/{office.Id}", new EditLocationRequest { Name = "Office" },
            WireJson.Default.EditLocationRequest, ct)) edit.EnsureSuccessStatusCode();
        await service.Until(async () => (await api.Run(first, ct)).State == RunState.Queued
            && (await api.Run(second, ct)).State == RunState.Queued, "both runs wait again");
        await Shell(frozen, "kill -CONT $(cat /srv/agent.pid)", ct);
        await Shell(cut, "ip link set eth0 up", ct);
        await service.Until(async () => (await api.Run(first, ct)).FinishedAt is not null && (await api.Run(second, ct)).FinishedAt
            is not null, "both runs end");

        foreach (var run in (RunId[])[first, second]) await ShowThatItIsClean(service, api, http, run, ct);
    }

    // The program of this checkout is seen inside; what is different there is the network.
    static Task<IsolatedHost> Machine(string name, CancellationToken ct) => IsolatedHost.Start(name, [], ["/srv"], ct);

    static async Task Shell(IsolatedHost host, string line, CancellationToken ct)
    {
        var (exitCode, output) = await host.Shell(line, ct);
        Assert.True(exitCode == 0, output);
    }

    static async Task<RunId> Protect(Service service, ApiClient api, HttpClient http, IsolatedHost host, LocationId location,
        CancellationToken ct)
    {
        await Shell(host, "mkdir -p /srv/data && head -c 6000000 /dev/urandom >/srv/data/file", ct);
        var token = await api.CreateJoinToken(new CreateJoinTokenRequest($"https://{host.OuterAddress}:{service.Port + 1}"), ct);
        var agent = Path.Combine(Path.GetDirectoryName(PublishedProgram.Path)!, "backupdr-agent");
        await Shell(host, $"{agent} join {token.AgentsUrl} --token {token.Token} --state /srv/state && "
            + $"(setsid {agent} run --state /srv/state --hooks /nonexistent >/srv/agent.log 2>&1 </dev/null & "
            + "echo $! >/srv/agent.pid)", ct);
        var joined = await service.Joined(http, token.Id);
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Location = location,
            Items = [new NewItem(joined.Id, new SourceSpec { Files = new FilesSpec { Paths = [Protected] } })],
            Spec = new PolicySpec { Proof = new ProofSpec { DrillAfterFirst = false } },
        }, ct);
        return Assert.Single((await api.Runs(Assert.Single(policy.Items).Id, ct)).Runs).Id;
    }

    static async Task<bool> IsAtWork(HttpClient http, RunId run)
        => (await http.GetFromJsonAsync($"runs/{run}", WireJson.Default.Run)) is { State: RunState.Running, Progress: not null };

    static async Task ShowThatItIsClean(Service service, ApiClient api, HttpClient http, RunId id, CancellationToken ct)
    {
        var run = await api.Run(id, ct);
        var log = (await http.GetFromJsonAsync($"runs/{id}/events", WireJson.Default.RunEvents, ct))!.Events;
        var escape = await api.Reveal(run.Repository, ct);
        var restic = new ResticCli(Path.Combine(service.At("office"), run.Host.ToString()), escape.Password, service.At("restic-cache"));
        var snapshots = restic.Succeed("snapshots", "--json", "--no-lock");

        TestContext.Current.TestOutputHelper?.WriteLine($"{run.HostName}: ended {run.State} under lease {run.Epoch}");
        Assert.Equal((RunState.Complete, 2L), (run.State, run.Epoch));
        Assert.Single(log, line => line.Code == "run.lease_expired");
        Assert.Single(log, line => line.Code == "run.complete");
        Assert.Equal(1, snapshots.Split("\"short_id\"").Length - 1);
        restic.Succeed("check", "--no-lock", "--read-data");
    }
}
