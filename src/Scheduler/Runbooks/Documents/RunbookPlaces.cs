using System.Text.RegularExpressions;
using BackupDr.Scheduler.Policies.Documents;

namespace BackupDr.Scheduler.Runbooks.Documents;

/// <summary>Finds in the text of a runbook what problems are about.</summary>
static partial class RunbookPlaces
{
    // A text in angle brackets and nothing of markup inside: "<unit of the service>", not a body of XML.
    [GeneratedRegex("^<[^<>/=]{1,120}>$", RegexOptions.CultureInvariant)]
    private static partial Regex Blank { get; }

    /// <summary>The value that a place leads to, or the nearest around it that is written.</summary>
    /// <param name="document">The whole document.</param>
    /// <param name="place">As in a problem: "steps.db.timeout", where steps go by name.</param>
    public static YamlValue Of(YamlMap document, string place)
    {
        var at = document.Find("spec")?.Value ?? document;
        foreach (var part in place.Split('.'))
        {
            var next = at switch
            {
                YamlMap map => map.Find(part)?.Value,
                YamlList list => list.Values.OfType<YamlMap>().FirstOrDefault(step => NameOf(step) == part),
                _ => null,
            };
            if (next is null) break;
            at = next;
        }
        return at;
    }

    /// <summary>The name of a step; null where it has none.</summary>
    public static string? NameOf(YamlMap step) => (step.Find("name")?.Value as YamlScalar)?.Text;

    /// <summary>Values that say what belongs in their place, from the top.</summary>
    public static IEnumerable<YamlScalar> Blanks(YamlValue value) => value switch
    {
        YamlScalar scalar => Blank.IsMatch(scalar.Text) ? [scalar] : [],
        YamlList list => list.Values.SelectMany(Blanks),
        YamlMap map => map.Members.SelectMany(member => Blanks(member.Value)),
        _ => [],
    };
}
