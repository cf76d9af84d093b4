using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using Microsoft.Data.Sqlite;

namespace BackupDr.SystemTests;

/// <summary>A database of an application that runs: a policy, its backup, its proof, and a restore beside it.</summary>
public sealed class SqliteTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_database_in_use_is_backed_up_proven_and_restored()
    {
        await using var service = new Service();
        File.WriteAllText(Path.Combine(service.Folder("first"), "file"), "here\n");
        var database = Path.Combine(service.Folder("app"), "data.db");
        using var connection = new SqliteConnection($"Data Source={database};Pooling=False");
        connection.Open();
        Run(connection, "pragma journal_mode = wal; pragma wal_autocheckpoint = 0; create table orders (id int); "
            + "insert into orders values (1), (2), (3)");   // only in the log as yet
        service.Start("--protect", service.At("first"));
        await service.Outcome();
        using var api = service.Api();
        using var http = service.Http();
        var host = Assert.Single((await http.GetFromJsonAsync("hosts", WireJson.Default.IReadOnlyListHost, _ct))!);

        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Items = [new NewItem(host.Id, new SourceSpec
            {
                Kind = SourceKind.Sqlite,
                Sqlite = new SqliteSpec { Path = FilePath.FromText(database), Scratch = FilePath.FromText(service.Folder("room")) },
            })],
        }, _ct);

        var item = Assert.Single(policy.Items);
        Assert.Equal($"{database} on {host.Name}", item.Name);
        await service.Until(async () => (await Item(http, item.Id)).State == ItemState.Proven, "its first recovery point is proven");
        var points = (await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint, _ct))!;
        var point = Assert.Single(points);
        var drill = (await api.Run(point.ProofRun!.Value, _ct)).Result!.Drill!;
        Assert.Equal(["restore", "integrity_check", "rows"], drill.Checks!.Select(check => check.Name));
        Assert.Empty(Directory.GetFileSystemEntries(service.At("room")));
        using var answer = await http.PostAsJsonAsync("restores",
            new RequestRestoreRequest { Point = point.Id, Target = FilePath.FromText(service.At("back")) }, WireJson.Default.Options, _ct);
        var run = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, _ct))!.Run;
        await service.Until(async () => (await api.Run(run, _ct)).FinishedAt is not null, "the restore ends");
        using var copy = new SqliteConnection($"Data Source={service.At("back")}{database};Pooling=False");
        copy.Open();
        Assert.Equal(6L, Run(copy, "select sum(id) from orders"));
    }

    static object? Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    async Task<Item> Item(HttpClient http, ItemId id) => (await http.GetFromJsonAsync($"items/{id}", WireJson.Default.Item, _ct))!;
}
