using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Web.Tests.Fixtures;

/// <summary>The rules of axe-core, run in the page that a visitor looks at.</summary>
/// <remarks>./test installs it beside the build. Where it is not, tests that ask for it are skipped; with CI=true they fail.</remarks>
static class Axe
{
    static readonly string Source = Path.Combine(Service.Checkout(), "artifacts/axe/node_modules/axe-core/axe.min.js");

    /// <summary>Skips the test where axe is not installed.</summary>
    public static void Need()
    {
        if (File.Exists(Source)) return;
        const string Why = "axe-core is not installed in artifacts/axe; ./test does that with npm.";
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail(Why);
        Assert.Skip(Why);
    }

    /// <summary>What serious or critical is wrong with the page as it is shown now, each with the first elements concerned.</summary>
    /// <param name="visit">The visitor.</param>
    /// <param name="rules">Only these; none for all.</param>
    public static async Task<IReadOnlyList<string>> Faults(Visit visit, params string[] rules)
    {
        if (!await visit.Page.EvaluateAsync<bool>("() => !!window.axe"))
            await visit.Page.EvaluateAsync(await File.ReadAllTextAsync(Source));
        var found = await visit.Page.EvaluateAsync<JsonElement>("""
            async rules => (await axe.run(document, { resultTypes: ["violations"], ...(rules.length ? { runOnly: rules } : {}) }))
              .violations.filter(one => one.impact === "serious" || one.impact === "critical")
              .map(one => `${one.id} (${one.impact}): ${one.help}: ` + one.nodes.slice(0, 4)
                .map(node => node.target.join(" ") + " " + (node.any[0] || node.all[0] || node.none[0] || { message: "" }).message)
                .join(" | "))
            """, rules);
        return [.. found.EnumerateArray().Select(one => one.GetString()!)];
    }
}
