using System.Text;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies.Documents;

namespace BackupDr.Scheduler.Runbooks.Documents;

/// <summary>The beginning of a runbook that brings one item back: restore, check, start what uses it, wait until that is well, send people
/// there. What only its owner knows is a blank with the name of what belongs there. Pure.</summary>
static class RunbookDraft
{
    static readonly TimeSpan ShortestRestore = TimeSpan.FromHours(1);

    /// <summary>What the item is called without its host.</summary>
    public static string NameOf(Item item) => item.Name.EndsWith($" on {item.HostName}", StringComparison.Ordinal)
        ? item.Name[..^(item.HostName.Length + 4)] : item.Name;

    /// <summary>The document.</summary>
    /// <param name="name">The name of the runbook.</param>
    /// <param name="item">The item.</param>
    public static string Of(string name, Item item)
    {
        var isCluster = item.Source.Kind == SourceKind.PostgreSql;
        var isDatabase = isCluster || item.Source.Kind is SourceKind.MariaDb or SourceKind.Sqlite;
        return new StringBuilder()
            .Append("# What stands in <…> is still to be filled in. A step that is not needed can go: then mend needs of the next one.\n")
            .Append("apiVersion: backupdr/v1\n")
            .Append("kind: Runbook\n")
            .Append($"name: {Text(name)}\n")
            .Append("spec:\n")
            .Append($"  description: {Text($"Brings {item.Name} back and sends people there.")}\n")
            .Append($"  targets: {{ rto: {Lengths.Write(item.Rto)}, rpo: {Lengths.Write(item.Rpo)} }}")
            .Append($"   # of the policy {Line(item.PolicyName)}\n")
            .Append("  rehearseEvery: 30d\n")
            .Append("  steps:\n")
            .Append(Restore(item, isDatabase))
            .Append(isCluster ? Ask(item) : Look(item))
            .Append(Rest(item))
            .ToString();
    }

    static string Restore(Item item, bool isDatabase) => $"""
            - name: restore
              kind: {(isDatabase ? StepKind.RestoreDatabase : StepKind.RestoreFiles)}
              timeout: {Lengths.Write(LongestRestore(item))}
              restore:
                item: {item.Id}   # {Line(item.Name)}
                point: {(item.LastProvenPoint is null ? RestoreWhich.Newest : RestoreWhich.NewestProven)}
                # host: the name of another host, where {Line(item.HostName)} may be lost itself

        """;

    static string Ask(Item item) => $"""
            - name: assert
              title: Ask the restored server
              kind: DbAssert
              needs: [restore]
              timeout: 5m
              assert:
                host: {Text(item.HostName)}
                cluster: # of a role that may only read; its password is the first line of passwordFile on that host
                  host: "<address or socket folder of the restored server>"
                  user: "<a role that may only read>"
                  database: "<its most important database>"
                query: "select count(*) > 0 from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema')"

        """;

    static string Look(Item item) => $$"""
            - name: assert
              title: Look at what was restored
              kind: Script
              needs: [restore]
              timeout: 10m
              inRehearsal: Skip   # the test restore compares what it brought back by itself
              script:
                host: {{Text(item.HostName)}}
                run:
                  name: "<program of that host that looks at it>"
                  arguments: ["${restore.target}"]
                  sha256: "<what sha256sum says of that program>"

        """;

    static string Rest(Item item) => $$"""
            - name: service
              title: Start what uses it
              kind: ServiceStart
              needs: [assert]
              timeout: 2m
              service: { host: {{Text(item.HostName)}}, unit: "<unit of the service, for example shop.service>" }
            - name: health
              title: Wait until it is well
              kind: HealthWait
              needs: [service]
              timeout: 5m
              inRehearsal: Simulate   # looked at once; Do waits for an address of the rehearsal
              health:
                http: { url: "<address that answers when it is well>" }
            - name: dns
              title: Send people there
              kind: DnsChange
              needs: [health]
              timeout: 1m
              dns:
                server: "<primary name server of the zone>"
                zone: "<the zone>"
                record: "<the name that people use>"
                to: ["<address at the other site>"]
                key: "<name of the key at the server>"
                keySecret: "<name of the stored secret with that key>"

        """;

    /// <summary>Three times what it takes as far as that is known, else twice its objective; an hour at least.</summary>
    static TimeSpan LongestRestore(Item item)
    {
        var wanted = item.RestoreEstimate is { } known ? known.Time * 3 : item.Rto * 2;
        var hours = TimeSpan.FromHours(Math.Ceiling(wanted.TotalHours));
        return hours < ShortestRestore ? ShortestRestore : hours > StepSpec.LongestTimeout ? StepSpec.LongestTimeout : hours;
    }

    static string Text(string text) => YamlScalar.Of(text).Flow();

    /// <summary>For a comment, which ends with its line.</summary>
    static string Line(string text) => new([.. text.Select(one => char.IsControl(one) || one is '\u2028' or '\u2029' or '\u0085' ? ' '
        : one)]);
}
