using System.Net;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>What a rehearsal of a runbook must not touch: the names, addresses and balancers that the same runbook changes in
/// earnest.</summary>
/// <remarks>Asked on saving, and again before a step of a rehearsal is carried out, when its variables are filled in.</remarks>
public sealed class ProductionAddresses
{
    readonly HashSet<string> _hosts = new(StringComparer.OrdinalIgnoreCase), _endpoints = new(StringComparer.OrdinalIgnoreCase);

    ProductionAddresses() { }

    /// <summary>Those of a runbook.</summary>
    public static ProductionAddresses Of(RunbookSpec spec)
    {
        var all = new ProductionAddresses();
        foreach (var step in spec.Steps)
        {
            if (step.Dns is { } dns)
            {
                all._hosts.Add(Name(dns.Record));
                if (dns.Type != DnsRecordKind.Txt) all._hosts.UnionWith(dns.From.Concat(dns.To).Select(Name));
            }
            foreach (var server in new[] { step.Promote?.Cluster, step.Promote?.Instead?.Cluster, step.Assert?.Cluster,
                step.Reprotect?.Cluster, step.Reprotect?.From })
                if (server is not null && EndpointOf(server) is { } database) all._endpoints.Add(database);
            if (step.Lb is { } lb) all._endpoints.UnionWith(lb.Servers.Select(server => Balanced(lb.Address, server)));
            if (step.Http is { } http)
                all._endpoints.UnionWith(new[] { http, http.Undo }.OfType<HttpCallSpec>().Where(Changes).Select(EndpointOf)
                    .OfType<string>());
        }
        return all;
    }

    /// <summary>Why a rehearsal may not carry out a step; null where it may.</summary>
    public string? Refusal(StepSpec step)
    {
        if (StepKinds.Rehearsed(step) != InRehearsal.Do) return null;
        return step switch
        {
            { Dns: { } dns } => dns.Rehearsal is not { } other ? NoBinding(step) : Hosts(other.Record),
            { Lb: { } lb } => lb.Rehearsal is not { } other ? NoBinding(step)
                : other.Servers.Select(server => Balanced(other.Address, server)).FirstOrDefault(_endpoints.Contains)
                    is { } touched ? Text(touched) : null,
            { Http: { } http } => http.Rehearsal is not { } other ? NoBinding(step) : Call(other),
            { Script: { RehearsalHost: not null, RehearsalReaches: { } reaches } }
                => reaches.Select(end => IPEndPoint.TryParse(end, out var at) ? Hosts(at.Address.ToString()) ?? Ends(end) : null)
                    .FirstOrDefault(refused => refused is not null),
            { Promote: { RehearsalHost: not null } promote } => Asked(promote),
            { Assert: { RehearsalHost: not null } assert } => Asked(assert),
            { Health: { } health } => Asks(health.Rehearsal ?? health),
            _ => null,
        };
    }

    string? Asks(HealthTarget target) => target.Http is { } http ? Call(http)
        : target.Tcp is { } tcp && KindProblems.Endpoint(tcp, 0) is { } at ? Hosts(at.Host) ?? Ends(tcp) : null;

    string? Call(HttpCallSpec call) => Uri.TryCreate(call.Url, UriKind.Absolute, out var url)
        ? Hosts(url.Host) ?? Ends($"{url.Host}:{url.Port}") : null;

    string? Hosts(string host) => _hosts.Contains(Name(host)) ? Text(Name(host)) : null;

    string? Ends(string endpoint) => _endpoints.Contains(endpoint) ? Text(endpoint) : null;

    string? Asked(DatabaseStepSpec database)
        => EndpointOf(database.RehearsalCluster ?? database.Cluster) is { } end ? Ends(end) : null;

    /// <summary>Of a server that is the same from every host; null for a socket, and for a host's own loopback.</summary>
    static string? EndpointOf(PostgreSqlSpec server) => server.Host is not { Length: > 0 } host || host[0] == '/'
        || Name(host) == "localhost" || (IPAddress.TryParse(Name(host), out var address) && IPAddress.IsLoopback(address)) ? null
        : $"{Name(host)}:{server.Port ?? PostgreSqlSpec.DefaultPort}";

    static bool Changes(HttpCallSpec call) => call.Method is not ("GET" or "HEAD");

    static string? EndpointOf(HttpCallSpec call)
        => Uri.TryCreate(call.Url, UriKind.Absolute, out var url) ? $"{url.Host}:{url.Port}" : null;

    static string Balanced(string address, LbServer server) => $"{address} {server.Name}";

    static string Name(string host) => host.Trim('[', ']').TrimEnd('.').ToLowerInvariant();

    static string NoBinding(StepSpec step)
        => $"A rehearsal is to do it, and '{step.Name}' names nothing of its own to do it at: production would be changed.";

    static string Text(string touched) => $"A rehearsal would touch {touched}, which is production of this runbook.";
}
