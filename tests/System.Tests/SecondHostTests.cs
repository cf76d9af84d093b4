using System.Diagnostics;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>A machine without .NET and without this checkout joins by one line and is protected. It is destroyed, and another one takes its
/// place and gets everything back.</summary>
public sealed class SecondHostTests
{
    static readonly FilePath Protected = FilePath.FromText("/srv/data");

    [Fact]
    public async Task A_second_host_joins_by_one_line_is_destroyed_and_a_third_one_goes_on_in_its_place()
    {
        Assert.SkipWhen(IsolatedHost.Missing() is not null && Environment.GetEnvironmentVariable("CI") is null,
            $"needs {IsolatedHost.Missing()}");
        Tool.Need("curl", "curl");
        var ct = TestContext.Current.CancellationToken;
        await using var service = new Service();
        await service.StartSmall();
        using var api = service.Api();
        using var http = service.Http();
        var disk = FilePath.FromText(service.Folder("office"));
        var office = new CreateLocationRequest { Name = "Office", Kind = LocationKind.Gateway, Path = disk };
        var gateway = await http.Post("locations", office, WireJson.Default.CreateLocationRequest, WireJson.Default.Location);

        Host second;
        Item item;
        await using (var host = await Machine("second", ct))
        {
            var token = await Join(service, api, host, null, ct);
            second = await service.Joined(http, token.Id);
            Assert.Equal("second", second.Name);
            var (well, examined) = await host.Shell("/opt/backupdr-agent/backupdr-agent doctor", ct);
            Assert.True(well == 0 && examined.Contains("admitted as second", StringComparison.Ordinal), examined);
            await host.Shell("mkdir -p /srv/data/inner && echo precious > /srv/data/inner/file && ln -s file /srv/data/inner/link", ct);
            var policy = await api.CreatePolicy(new CreatePolicyRequest
            {
                Location = gateway.Id,
                Items = [new NewItem(second.Id, new SourceSpec { Kind = SourceKind.Files, Files = new FilesSpec { Paths = [Protected] } })],
            }, ct);
            var id = Assert.Single(policy.Items).Id;
            await service.Until(async () => (await Item(http, id)).LastProvenPoint is not null, "the second host's folder is proven");
            item = await Item(http, id);
            var (_, refused) = await host.Shell(Line(token), ct);
            Assert.Contains("token", refused, StringComparison.Ordinal);
        }

        await using var third = await Machine("third", ct);
        var place = await Join(service, api, third, second.Id, ct);
        var joined = await service.Joined(http, place.Id);
        Assert.Equal((second.Id, "second"), (joined.Id, joined.Name));
        var part = Assert.Single(await http.Get($"hosts/{joined.Id}/restore-plan", WireJson.Default.IReadOnlyListHostRestorePart));
        Assert.Equal((item.Id, item.LastProvenPoint, false), (part.Item.Id, part.Point?.Id, part.IsRepositoryLost));
        var restore = new RequestRestoreRequest { Point = part.Point!.Id, Target = part.Target, Paths = part.Paths };
        var run = (await http.Post("restores", restore, WireJson.Default.RequestRestoreRequest, WireJson.Default.RunStarted)).Run;
        await service.Until(async () => (await api.Run(run, ct)).FinishedAt is not null, "the restore ends");

        Assert.Equal(RunState.Complete, (await api.Run(run, ct)).State);
        var (_, restored) = await third.Shell("cat /srv/data/inner/file; readlink /srv/data/inner/link", ct);
        Assert.Equal("precious\nfile\n", restored);
    }

    static Task<IsolatedHost> Machine(string name, CancellationToken ct) => IsolatedHost.Start(name,
        [Service.Checkout(), "/usr/share/dotnet", "/usr/lib/dotnet"], ["/opt", "/srv", "/run", "/var/log", "/var/lib"], ct);

    static string Line(JoinToken token) => token.Command.Replace("| sudo sh", "| sh -s -- --no-systemd", StringComparison.Ordinal);

    static async Task<JoinToken> Join(Service service, ApiClient api, IsolatedHost host, HostId? former, CancellationToken ct)
    {
        var token = await api.CreateJoinToken(new CreateJoinTokenRequest($"https://{host.OuterAddress}:{service.Port + 1}", former), ct);
        var begun = Stopwatch.GetTimestamp();
        var (exitCode, output) = await host.Shell(Line(token), ct);
        Assert.True(exitCode == 0, output);
        TestContext.Current.TestOutputHelper?.WriteLine($"The line took {Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s");
        return token;
    }

    static Task<Item> Item(HttpClient http, ItemId id) => http.Get($"items/{id}", WireJson.Default.Item);
}
