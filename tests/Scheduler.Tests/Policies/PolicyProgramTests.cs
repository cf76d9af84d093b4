using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Policies;

/// <summary>The command line against a node: made from a template, exported, changed in the file, applied.</summary>
public sealed class PolicyProgramTests(SchedulerDatabases databases)
{
    [Fact]
    public async Task Policies_go_out_as_files_and_come_back_changed()
    {
        await using var fleet = await Fleet.Start(databases);
        await fleet.AddHost();
        using var scratch = new ScratchFolder();
        var environment = new Dictionary<string, string>
        {
            ["BACKUPDR_URL"] = fleet.Node.Console.ToString(),
            ["BACKUPDR_API_KEY_FILE"] = scratch.File("key", TestNode.BootstrapKey),
        };
        ToolResult Run(params string[] arguments) => Tool.Run(PublishedProgram.Path, arguments, environment);
        string Good(params string[] arguments)
        {
            var result = Run(arguments);
            Assert.True(result.ExitCode == 0, $"{string.Join(' ', arguments)}: {result.Output}{result.Errors}");
            return result.Output;
        }

        Assert.Contains("created as pol_", Good("policy", "new", "Shop", "--template", "gold", "--host", "WEB-1", "--path", "/srv/shop"),
            StringComparison.Ordinal);
        var folder = scratch.At("policies");
        Assert.Contains("shop.yaml", Good("policy", "export", folder), StringComparison.Ordinal);
        Assert.Contains("1 policy is as documented.", Good("apply", "-f", folder, "--prune"), StringComparison.Ordinal);
        var file = Path.Combine(folder, "shop.yaml");
        File.WriteAllText(file, File.ReadAllText(file).Replace("keepYearly: 3", "keepYearly: 5", StringComparison.Ordinal));

        var dry = Run("apply", "-f", folder, "--dry-run");
        Assert.Equal(22, dry.ExitCode);
        Assert.Contains($"~ Shop: would change ({file})\n    spec.retention.keepYearly: 3 → 5\n1 policy of 1 would change. Nothing was "
            + $"changed.",
            dry.Output, StringComparison.Ordinal);
        Assert.Contains("\"changes\":true", Run("apply", "-f", folder, "--dry-run", "--json").Output, StringComparison.Ordinal);
        Good("apply", "-f", folder);
        Assert.Equal(File.ReadAllText(file), Good("policy", "show", "Shop", "--yaml"));
        Assert.Contains("spec.retention.keepYearly: 3 → 5", Good("policy", "versions", "Shop"), StringComparison.Ordinal);

        File.AppendAllText(file, "retension: 1\n");
        var wrong = Run("apply", "-f", file);
        Assert.Equal(1, wrong.ExitCode);
        Assert.Contains($"backupdr: {file}:", wrong.Errors, StringComparison.Ordinal);
        Assert.Contains("'retension' is no member of a document.", wrong.Errors, StringComparison.Ordinal);

        Assert.Contains("site=berlin", Good("host", "label", "web-1", "site=berlin", "tier=test"), StringComparison.Ordinal);
        Assert.Contains("web-1", Good("host", "list", "-l", "site=berlin,tier"), StringComparison.Ordinal);
        Assert.DoesNotContain("tier", Good("host", "label", "web-1", "tier-"), StringComparison.Ordinal);
        Assert.Empty(Good("host", "list", "-l", "tier"));
        Assert.Contains("is as in version 1 again; that is version 3", Good("policy", "restore-version", "Shop", "1"),
            StringComparison.Ordinal);
        Assert.Equal(3, Assert.Single(await fleet.Get<ListPolicies>().Handle(TestNode.Admin, new ListPoliciesRequest(), default)).Version);
    }
}
