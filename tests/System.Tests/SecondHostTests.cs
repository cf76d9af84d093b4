using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>A machine without .NET and without this checkout joins by one line, is protected, and gets its data back.</summary>
public sealed class SecondHostTests
{
    static readonly FilePath Protected = FilePath.FromText("/srv/data");

    [Fact]
    public async Task A_second_host_joins_by_one_line_and_gets_a_folder_back()
    {
        Assert.SkipWhen(IsolatedHost.Missing() is not null && Environment.GetEnvironmentVariable("CI") is null,
            $"needs {IsolatedHost.Missing()}");
        Tool.Need("curl", "curl");
        var ct = TestContext.Current.CancellationToken;
        await using var service = new Service();
        var first = service.Folder("first");
        File.WriteAllText(Path.Combine(first, "file"), "here\n");
        service.Start("--protect", first);
        await service.Outcome();
        await using var host = await IsolatedHost.Start("second", [Service.Checkout(), "/usr/share/dotnet", "/usr/lib/dotnet"],
            ["/opt", "/srv", "/run", "/var/log", "/var/lib"], ct);
        using var api = service.Api();
        using var http = service.Http();

        var token = await api.CreateJoinToken(new CreateJoinTokenRequest($"https://{host.OuterAddress}:{service.Port + 1}"), ct);
        var begun = Stopwatch.GetTimestamp();
        var (exitCode, output) = await host.Shell(token.Command.Replace("| sudo sh", "| sh -s -- --no-systemd", StringComparison.Ordinal),
            ct);
        Assert.True(exitCode == 0, output);
        var joined = await AwaitHost(service, http, token.Id);
        TestContext.Current.TestOutputHelper?.WriteLine($"From the line to the host in the list: "
            + $"{Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s");
        Assert.Equal("second", joined.Name);

        await host.Shell("mkdir -p /srv/data/inner && echo precious > /srv/data/inner/file && ln -s file /srv/data/inner/link", ct);
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Items = [new NewItem(joined.Id, new SourceSpec { Kind = SourceKind.Files, Files = new FilesSpec { Paths = [Protected] } })],
        }, ct);
        var item = Assert.Single(policy.Items);
        await service.Until(async () => (await Item(http, item.Id)).LastProvenPoint is not null, "the second host's folder is proven");

        await host.Shell("rm -r /srv/data/inner", ct);
        var request = new RequestRestoreRequest
        {
            Point = (await Item(http, item.Id)).LastProvenPoint!.Value,
            Target =
            FilePath.FromText("/srv/back")
        };
        using var answer = await http.PostAsJsonAsync("restores", request, WireJson.Default.RequestRestoreRequest, ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(ct));
        var run = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, ct))!.Run;
        await service.Until(async () => (await api.Run(run, ct)).FinishedAt is not null, "the restore ends");

        Assert.Equal(RunState.Complete, (await api.Run(run, ct)).State);
        var (_, restored) = await host.Shell("cat /srv/back/srv/data/inner/file; readlink /srv/back/srv/data/inner/link", ct);
        Assert.Equal("precious\nfile\n", restored);
        var (_, refused) = await host.Shell(token.Command.Replace("| sudo sh", "| sh -s -- --no-systemd", StringComparison.Ordinal), ct);
        Assert.Contains("token", refused, StringComparison.Ordinal);
    }

    static async Task<Host> AwaitHost(Service service, HttpClient http, JoinTokenId token)
    {
        Host? host = null;
        await service.Until(async () => (host = (await Get(http, $"join-tokens/{token}", WireJson.Default.JoinProgress))
            .Host) is { State: HostState.Online }, "the host appears");
        return host!;
    }

    static Task<Item> Item(HttpClient http, ItemId id) => Get(http, $"items/{id}", WireJson.Default.Item);

    static async Task<T> Get<T>(HttpClient http, string path, JsonTypeInfo<T> type) => (await http.GetFromJsonAsync(path, type))!;
}
