using System.IO.Compression;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Telemetry;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Telemetry;

/// <summary>What is handed to somebody who helps.</summary>
public sealed class SupportBundleTests(SchedulerDatabases databases)
{
    [Fact]
    public async Task It_tells_of_the_installation_and_holds_none_of_its_secrets()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost("web-1");
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.NoSpace);
        await fleet.Get<CreateLocation>().Handle(TestNode.Admin, new CreateLocationRequest
        {
            Name = "Far",
            Kind = LocationKind.S3,
            Address = "s3:https://far.example.org/backups",
            Credentials = new StoreCredentials { AccessKey = "AKIAPLANTED", SecretKey = "planted-secret-key" },
        }, Fleet.NoStop);

        var answer = await fleet.Node.AdminClient().PostAsync("/api/v1/support-bundle", null);

        answer.EnsureSuccessStatusCode();
        Assert.EndsWith(".zip", answer.Content.Headers.ContentDisposition!.FileNameStar, StringComparison.Ordinal);
        using var zip = new ZipArchive(await answer.Content.ReadAsStreamAsync());
        var texts = new Dictionary<string, string>();
        foreach (var entry in zip.Entries)
        {
            using var reader = new StreamReader(entry.Open());
            texts[entry.Name] = await reader.ReadToEndAsync();
        }
        Assert.Contains("\"web-1\"", texts["hosts.jsonl"], StringComparison.Ordinal);
        Assert.Contains("store.full", texts["runs.jsonl"], StringComparison.Ordinal);
        Assert.Contains("No space.", texts["run_events.jsonl"], StringComparison.Ordinal);
        Assert.Contains("backupdr_hosts", texts["metrics.txt"], StringComparison.Ordinal);
        Assert.Contains("Console:Url", texts["settings.txt"], StringComparison.Ordinal);
        var kit = (await fleet.Get<WriteRecoveryKit>().Handle(TestNode.Admin, new WriteRecoveryKitRequest(), Fleet.NoStop)).Text;
        string[] secrets = ["planted-secret-key", "AKIAPLANTED", TestNode.BootstrapKey, .. SecretsOf(kit)];
        Assert.Equal(6, secrets.Length);
        foreach (var (file, text) in texts)
            foreach (var secret in secrets)
                Assert.False(text.Contains(secret, StringComparison.OrdinalIgnoreCase), $"{file} holds a secret");
        var audit = await fleet.Node.Db.Scalar<long>("select count(*) from audit where action = 'support_bundle.write'", [], Fleet.NoStop);
        Assert.Equal(1, audit);
    }

    // Whatever stands behind an equals sign or as a key in the kit opens something.
    static IEnumerable<string> SecretsOf(string kit) => kit.Split('\n').Select(line => line.Trim())
        .Where(line => line.StartsWith("export RESTIC_PASSWORD=", StringComparison.Ordinal)
            || line.StartsWith("Recovery key", StringComparison.Ordinal) || line.StartsWith("printf", StringComparison.Ordinal))
        .Select(line => line.StartsWith("export", StringComparison.Ordinal) ? line.Split('=', 2)[1].Trim('\'') : line.Split(' ',
            StringSplitOptions.RemoveEmptyEntries)[2]);

    [Fact]
    public void The_databases_password_is_not_among_the_settings()
    {
        var shown = WriteSupportBundle.Shown(new NodeSettings
        {
            Database = new DatabaseOptions { ConnectionString = "Host=db;Username=u;Password=planted;Database=d" },
        });

        Assert.DoesNotContain("planted", shown, StringComparison.Ordinal);
        Assert.Contains("Database:ConnectionString = Host=db;Username=u;Password=…;Database=d", shown, StringComparison.Ordinal);
        Assert.Contains("Node:Roles = Api,Loops,Console", shown, StringComparison.Ordinal);
    }
}
