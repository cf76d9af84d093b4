using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>Something is broken on purpose; within one cycle the item says what.</summary>
public sealed class PlantedFaultTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_pack_that_is_gone_and_a_password_that_no_longer_opens_make_the_item_failed()
    {
        await using var service = new Service();
        var noise = new byte[300_000];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(Path.Combine(service.Folder("source"), "noise"), noise);
        service.Start("--protect", service.At("source"));
        var outcome = await service.Outcome();
        using var api = service.Api();
        using var http = service.Http();
        var proven = Assert.Single(await api.Items(_ct));
        Assert.Equal(ItemState.Proven, proven.State);
        var pack = Directory.GetFiles(Path.Combine(outcome.GetProperty("repository").GetString()!, "data"), "*",
            SearchOption.AllDirectories).MaxBy(file => new FileInfo(file).Length)!;

        File.Delete(pack);
        await Post(http, $"repositories/{proven.Repository}/check");
        await service.Until(async () => await Reason(http, proven) is (ItemState.Failed, var reason) && reason.Contains(
            $"pack {Path.GetFileName(pack)}: it is in the index, but not in the store", StringComparison.Ordinal), "the damage is told");

        var other = service.At("other");
        File.WriteAllText(other, "another password\n");
        service.Restic(outcome).Succeed("key", "passwd", "--new-password-file", other);
        await Post(http, $"repositories/{proven.Repository}/check");
        await service.Until(async () => await Reason(http, proven) is (ItemState.Failed, var reason)
            && reason.Contains("Wrong password", StringComparison.Ordinal), "the wrong password is told");
        Assert.Equal(0, await service.Stop());
    }

    [Fact]
    public async Task A_drill_that_is_killed_leaves_nothing_and_one_that_finds_something_says_what()
    {
        await using var cluster = PostgresCluster.Start();
        await cluster.Execute("create table orders (id int primary key); insert into orders values (1), (2), (3)");
        await using var service = new Service();
        File.WriteAllText(Path.Combine(service.Folder("first"), "file"), "here\n");
        service.Start("--protect", service.At("first"));
        await service.Outcome();
        using var api = service.Api();
        using var http = service.Http();
        var host = Assert.Single((await http.GetFromJsonAsync("hosts", WireJson.Default.IReadOnlyListHost, _ct))!);
        var scratch = PostgresCluster.Make(Path.Combine(cluster.Folder, "scratch"));
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Spec = new PolicySpec { Proof = new ProofSpec { Assertions = ["postgres: select pg_sleep(3) is not null"] } },
            Items =
            [
                new NewItem(host.Id, new SourceSpec
                {
                    Kind = SourceKind.PostgreSql,
                    PostgreSql = new PostgreSqlSpec
                    {
                        DataFolder = FilePath.FromText(cluster.Data),
                        User = "postgres",
                        Scratch = FilePath.FromText(scratch),
                    },
                }),
            ],
        }, _ct);
        var item = Assert.Single(policy.Items);

        // Killed while it restores (a lease takes its half minute to end), and while the restored server answers a query.
        if (Nightly.IsOn)
        {
            await service.Until(() => Task.FromResult(Copies(scratch).Length > 0), "the drill restores");
            service.KillAgent();
        }
        await service.Until(() => Task.FromResult(Copies(scratch).Any(copy => File.Exists(Path.Combine(copy, "data/postmaster.pid")))),
            "the copy is started");
        service.KillAgent();

        await service.Until(async () => (await Reason(http, item)).State == ItemState.Proven, "the drill ends in its next lease");
        Assert.Empty(Copies(scratch));
        Assert.Empty(ServersBelow(scratch));

        await TheReasonIs("postgres: select count(*) > 1000 from orders gave False", ["postgres: select count(*) > 1000 from orders"]);
        Assert.Empty(Copies(scratch));

        async Task TheReasonIs(string expected, IReadOnlyList<string> assertions)
        {
            using var edited = await http.PutAsJsonAsync($"policies/{policy.Id}", new EditPolicyRequest(policy.Id, policy.Name,
                policy.Spec with { Proof = new ProofSpec { Assertions = assertions } }), WireJson.Default.EditPolicyRequest, _ct);
            edited.EnsureSuccessStatusCode();
            await Post(http, $"points/{(await Points(http, item))[0].Id}/drill");
            await service.Until(async () => await Reason(http, item) is (ItemState.Failed, var reason)
                && reason.Contains(expected, StringComparison.Ordinal), $"the reason is '{expected}'");
        }
    }

    static string[] Copies(string scratch) => Directory.GetDirectories(scratch, "backupdr-drill-*");

    static List<string> ServersBelow(string folder) => [.. Directory.EnumerateDirectories("/proc")
        .Where(process => int.TryParse(Path.GetFileName(process), out _)).Select(CommandLine)
        .Where(words => words.Contains(folder + "/backupdr-drill-", StringComparison.Ordinal))];

    static string CommandLine(string process)
    {
        try { return File.ReadAllText(Path.Combine(process, "cmdline")); }
        catch (IOException) { return ""; }   // it ended meanwhile
    }

    async Task Post(HttpClient http, string path)
    {
        using var answer = await http.PostAsync(path, null, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
    }

    async Task<(ItemState State, string Reason)> Reason(HttpClient http, Item item)
    {
        var now = (await http.GetFromJsonAsync($"items/{item.Id}", WireJson.Default.Item, _ct))!;
        return (now.State, now.StateReason);
    }

    async Task<IReadOnlyList<RecoveryPoint>> Points(HttpClient http, Item item)
        => (await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint, _ct))!;
}
