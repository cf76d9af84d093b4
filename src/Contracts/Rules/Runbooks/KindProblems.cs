using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>What is wrong with the parameters of the kinds that a node carries out by itself. Values with a variable in them
/// ("${…}") are looked at once that is filled in.</summary>
public static class KindProblems
{
    const int MostHeaders = 20, LongestBody = 64 * 1024, LongestText = 10_000, LongestSubject = 150, MostServers = 50, MostChannels = 20,
        LongestTxt = 255, LongestUrl = 2_000, LongestName = 100, LongestDnsName = 253, MostWeight = 256;
    static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    // Set from other members, or by the way the call is made.
    static readonly string[] OwnHeaders = ["authorization", "host", "content-length", "transfer-encoding", "connection", "idempotency-key"];
    static readonly TimeSpan Second = TimeSpan.FromSeconds(1), Day = TimeSpan.FromDays(1), ShortestEvery = TimeSpan.FromMilliseconds(100),
        LongestEvery = TimeSpan.FromMinutes(5);

    /// <summary>All of it, for one step.</summary>
    /// <param name="step">The step.</param>
    /// <param name="at">Its place: "steps.dns".</param>
    /// <param name="problems">Where they are added.</param>
    public static void Of(StepSpec step, string at, ICollection<RunbookProblem> problems)
    {
        Only(step.Http, StepKind.Http, "http");
        Only(step.Dns, StepKind.DnsChange, "dns");
        Only(step.Lb, StepKind.LbSwitch, "lb");
        Only(step.Health, StepKind.HealthWait, "health");
        Only(step.Notify, StepKind.Notify, "notify");
        switch (step)
        {
            case { Kind: StepKind.Http, Http: { } http }: OfHttp(http, new($"{at}.http", problems)); break;
            case { Kind: StepKind.DnsChange, Dns: { } dns }: OfDns(dns, new($"{at}.dns", problems)); break;
            case { Kind: StepKind.LbSwitch, Lb: { } lb }: OfLb(lb, new($"{at}.lb", problems)); break;
            case { Kind: StepKind.HealthWait, Health: { } health }: OfHealth(health, step.Timeout, new($"{at}.health", problems)); break;
            case { Kind: StepKind.Notify, Notify: { } notify }: OfNotify(notify, new($"{at}.notify", problems)); break;
            default: break;
        }

        void Only(object? given, StepKind kind, string member)
        {
            if (given is null && step.Kind == kind)
                problems.Add(new($"{at}.{member}", $"It does not say what to do: {kind} needs {member}.",
                    "docs/reference/steps.md has an example of each kind."));
            if (given is not null && step.Kind != kind)
                problems.Add(new($"{at}.{member}", $"Only a step of the kind {kind} has it, and this is {step.Kind}.", "Leave it out."));
        }
    }

    /// <summary>A place, and where problems of what is below it go.</summary>
    readonly record struct Spot(string At, ICollection<RunbookProblem> Problems)
    {
        public Spot In(string member) => this with { At = $"{At}.{member}" };
        public void Say(string problem, string advice) => Problems.Add(new(At, problem, advice));

        public void Must(bool isRight, string member, string problem, string advice)
        {
            if (!isRight) In(member).Say(problem, advice);
        }
    }

    static void OfHttp(HttpSpec http, Spot spot)
    {
        OfCall(http, spot);
        if (http.Undo is { } undo) OfCall(undo, spot.In("undo"));
        if (http.Rehearsal is { } rehearsal) OfCall(rehearsal, spot.In("rehearsal"));
    }

    static void OfCall(HttpCallSpec call, Spot spot)
    {
        spot.Must(Methods.Contains(call.Method), "method", $"'{call.Method}' is no method that is called with.",
            $"One of {string.Join(", ", Methods)}.");
        if (UrlProblem(call.Url) is { } wrong) spot.In("url").Say(wrong, "For example https://shop.example.org/health");
        spot.Must(call.Headers.Count <= MostHeaders, "headers", $"There are {call.Headers.Count}.", $"At most {MostHeaders}.");
        foreach (var (name, value) in call.Headers)
        {
            if (OwnHeaders.Contains(name.ToLowerInvariant()))
                spot.In("headers").Say($"'{name}' is set by the step itself.",
                    "A token goes by bearerSecret, the name of a stored secret.");
            else if (!IsHeader(name) || value.Length > LongestUrl || value.Any(letter => letter is < ' ' or > '~'))
                spot.In("headers").Say($"'{name}' cannot be sent as a header.", "Printable ASCII, on one line.");
        }
        spot.Must((call.Body?.Length ?? 0) <= LongestBody, "body", $"It has {call.Body?.Length} characters.", $"At most {LongestBody}.");
        spot.Must(call.Body is null || call.Method is not ("GET" or "HEAD"), "body", $"A {call.Method} has no body.",
            "Leave it out, or use POST.");
        Secret(call.BearerSecret, spot, "bearerSecret", isNeeded: false);
        OfExpect(call, spot.In("expect"));
    }

    static void OfExpect(HttpCallSpec call, Spot spot)
    {
        var expect = call.Expect;
        foreach (var status in expect.Status.Where(status => status is < 200 or > 599))
            spot.In("status").Say($"{status} is no status that ends a call.", "From 200 to 599.");
        spot.Must(expect.JsonPath is null || HasVariable(expect.JsonPath) || JsonPlace.Parse(expect.JsonPath) is not null, "jsonPath",
            $"'{expect.JsonPath}' is no place in JSON.", "For example $.status or $.nodes[0].state");
        spot.Must(expect.JsonGives is null || expect.JsonPath is not null, "jsonGives", "It does not say where.", "Give jsonPath too.");
        spot.Must(call.Method != "HEAD" || (expect.Contains is null && expect.JsonPath is null), "contains",
            "The answer to a HEAD has no body.", "Use GET.");
    }

    static void OfDns(DnsSpec dns, Spot spot)
    {
        OfTarget(dns, spot);
        if (dns.Rehearsal is { } rehearsal)
        {
            OfTarget(rehearsal, spot.In("rehearsal"));
            spot.In("rehearsal").Must(!SameName(rehearsal.Record, dns.Record), "record", "It is the record of production itself.",
                "Name one that nobody uses.");
        }
        spot.Must(dns.To.Count is > 0 and <= DnsSpec.MostValues, "to", $"There are {dns.To.Count} values.",
            $"From 1 to {DnsSpec.MostValues}.");
        spot.Must(dns.From.Count <= DnsSpec.MostValues, "from", $"There are {dns.From.Count} values.", $"At most {DnsSpec.MostValues}.");
        foreach (var (member, values) in new[] { ("from", dns.From), ("to", dns.To) })
        {
            spot.Must(dns.Type != DnsRecordKind.Cname || values.Count <= 1, member, "A CNAME says one name.", "Give one.");
            foreach (var value in values.Where(value => !HasVariable(value) && !IsValue(dns.Type, value)))
                spot.In(member).Say($"'{value}' is no value of {Words(dns.Type)}.", dns.Type switch
                {
                    DnsRecordKind.A => "For example 192.0.2.10",
                    DnsRecordKind.Aaaa => "For example 2001:db8::10",
                    DnsRecordKind.Cname => "For example dr.example.org",
                    _ => $"Printable text of at most {LongestTxt} bytes.",
                });
        }
        spot.Must(dns.Ttl >= Second && dns.Ttl <= Day, "ttl", $"It is {dns.Ttl:c}.", $"From {Second:c} to {Day:c}.");
    }

    static void OfTarget(DnsTarget target, Spot spot)
    {
        spot.Must(HasVariable(target.Server) || Endpoint(target.Server, 53) is not null, "server", $"'{target.Server}' is no server.",
            "For example ns1.example.org or 192.0.2.53:5353");
        foreach (var (member, name) in new[] { ("zone", target.Zone), ("record", target.Record), ("key", target.Key) })
            spot.Must(HasVariable(name) || IsDnsName(name), member, $"'{name}' is no name.", "For example shop.example.org");
        if (!HasVariable(target.Record) && !HasVariable(target.Zone) && IsDnsName(target.Record) && IsDnsName(target.Zone))
            spot.Must(SameName(target.Record, target.Zone) || target.Record.TrimEnd('.').EndsWith($".{target.Zone.TrimEnd('.')}",
                StringComparison.OrdinalIgnoreCase), "record", $"It is not in the zone {target.Zone}.", "Give its whole name.");
        Secret(target.KeySecret, spot, "keySecret", isNeeded: true);
    }

    static void OfLb(LbSpec lb, Spot spot)
    {
        OfTarget(lb, spot);
        if (lb.Rehearsal is not { } rehearsal) return;
        OfTarget(rehearsal, spot.In("rehearsal"));
        var own = lb.Servers.Select(server => server.Name).ToHashSet(StringComparer.Ordinal);
        spot.In("rehearsal").Must(rehearsal.Address != lb.Address || !rehearsal.Servers.Any(server => own.Contains(server.Name)), "servers",
            "They are those of production itself.", "Name servers, or a balancer, that nobody uses.");
    }

    static void OfTarget(LbTarget target, Spot spot)
    {
        spot.Must(HasVariable(target.Address) || (target.Address.StartsWith("unix:/", StringComparison.Ordinal)
            ? target.Address.Length is > 6 and <= 112 : Endpoint(target.Address, 0) is { Port: > 0 }), "address",
            $"'{target.Address}' is no address of a runtime API.", "For example 192.0.2.5:9999 or unix:/run/haproxy/admin.sock");
        spot.Must(target.Servers.Count is > 0 and <= MostServers, "servers", $"There are {target.Servers.Count}.",
            $"From 1 to {MostServers}.");
        foreach (var server in target.Servers)
        {
            spot.Must(HasVariable(server.Name) || IsLbName(server.Name), "servers", $"'{server.Name}' is no server of a balancer.",
                "backend/server, as its configuration calls them");
            spot.Must(server.State is not null || server.Weight is not null, "servers", $"Nothing is set of '{server.Name}'.",
                "Give state, weight, or both.");
            spot.Must(server.Weight is null or (>= 0 and <= MostWeight), "servers", $"The weight of '{server.Name}' is {server.Weight}.",
                $"From 0 to {MostWeight}.");
        }
        foreach (var twice in target.Servers.GroupBy(server => server.Name).Where(same => same.Count() > 1))
            spot.In("servers").Say($"'{twice.Key}' is there {twice.Count()} times.", "Once is enough.");
    }

    static void OfHealth(HealthSpec health, TimeSpan timeout, Spot spot)
    {
        OfTarget(health, spot);
        if (health.Rehearsal is { } rehearsal) OfTarget(rehearsal, spot.In("rehearsal"));
        spot.Must(health.For >= TimeSpan.Zero && health.For < timeout, "for", $"It is {health.For:c}.",
            $"Less than the step's timeout, {timeout:c}.");
        spot.Must(health.Every >= ShortestEvery && health.Every <= LongestEvery, "every", $"It is {health.Every:c}.",
            $"From {ShortestEvery:c} to {LongestEvery:c}.");
    }

    static void OfTarget(HealthTarget target, Spot spot)
    {
        if (new object?[] { target.Tcp, target.Http, target.Sql }.Count(one => one is not null) != 1)
        {
            spot.Say("It does not say which one thing is asked.", "Give exactly one of tcp, http and sql.");
            return;
        }
        if (target.Tcp is { } tcp)
            spot.Must(HasVariable(tcp) || Endpoint(tcp, 0) is { Port: > 0 }, "tcp", $"'{tcp}' is no address and port.",
                "For example db.example.org:5432");
        if (target.Http is { } http)
        {
            OfCall(http, spot.In("http"));
            spot.In("http").Must(http.Method is not ("POST" or "PUT" or "PATCH" or "DELETE"), "method",
                "Waiting may ask many times and must change nothing.", "GET or HEAD.");
        }
        if (target.Sql is not { } sql) return;
        Secret(sql.ConnectionSecret, spot.In("sql"), "connectionSecret", isNeeded: true);
        spot.In("sql").Must(sql.Query.Length is > 0 and <= LongestText, "query", "There is none, or it is too long.",
            $"At most {LongestText} characters.");
    }

    static void OfNotify(NotifySpec notify, Spot spot)
    {
        spot.Must(notify.Subject.Trim().Length is > 0 and <= LongestSubject, "subject", "There is none, or it is too long.",
            $"From 1 to {LongestSubject} characters.");
        spot.Must((notify.Text?.Length ?? 0) <= LongestText, "text", "It is too long.", $"At most {LongestText} characters.");
        spot.Must(notify.Channels.Count <= MostChannels && notify.Channels.All(name => name.Length is > 0 and <= LongestName), "channels",
            "These are no names of channels.", $"At most {MostChannels}, each of at most {LongestName} characters.");
    }

    static void Secret(string? name, Spot spot, string member, bool isNeeded)
    {
        if (name is null && !isNeeded) return;
        spot.Must(IsSecretName(name), member, $"'{name}' is no name of a stored secret.",
            "A lower-case letter, then such letters, digits and hyphens; at most 40. The secret itself does not stand here.");
    }

    /// <summary>Whether a stored secret may be called so.</summary>
    public static bool IsSecretName(string? name) => name is { Length: > 0 and <= 40 } && name[0] is >= 'a' and <= 'z'
        && name.All(letter => letter is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-');

    /// <summary>Whether something in a text is still to be filled in.</summary>
    public static bool HasVariable(string text) => text.Contains("${", StringComparison.Ordinal);

    /// <summary>Host and port of "host", "host:port", "[::1]:port" or "::1"; null where it is none of them.</summary>
    public static (string Host, int Port)? Endpoint(string text, int usual)
    {
        var (host, port) = (text, usual);
        var colon = text.LastIndexOf(':');
        if (colon > 0 && (text[colon - 1] == ']' || text.IndexOf(':', StringComparison.Ordinal) == colon))
        {
            if (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > 65535)
                return null;
            host = text[..colon];
        }
        if (host.StartsWith('[') && host.EndsWith(']')) host = host[1..^1];
        return Uri.CheckHostName(host) is UriHostNameType.Unknown or UriHostNameType.Basic ? null : (host, port);
    }

    static string? UrlProblem(string url)
    {
        if (HasVariable(url)) return null;
        if (url.Length > LongestUrl || !Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not ("https" or "http"))
            return "This is no address that can be called.";
        return parsed.UserInfo.Length > 0 ? "User and password do not stand in an address." : null;
    }

    static bool IsHeader(string name) => name.Length is > 0 and <= LongestName
        && name.All(letter => char.IsAsciiLetterOrDigit(letter) || "!#$%&'*+-.^_`|~".Contains(letter, StringComparison.Ordinal));

    static bool IsDnsName(string name) => name.TrimEnd('.') is { Length: > 0 and <= LongestDnsName } whole
        && whole.Split('.').All(label => label.Length is > 0 and <= 63
            && label.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '*'));

    static bool SameName(string one, string other)
        => string.Equals(one.TrimEnd('.'), other.TrimEnd('.'), StringComparison.OrdinalIgnoreCase);

    static bool IsValue(DnsRecordKind type, string value) => type switch
    {
        // Short and odd forms ("1.2", "0x1") would be read as other addresses than people think.
        DnsRecordKind.A => IPAddress.TryParse(value, out var four) && four.AddressFamily == AddressFamily.InterNetwork
            && four.ToString() == value,
        DnsRecordKind.Aaaa => !value.Contains('%', StringComparison.Ordinal) && IPAddress.TryParse(value, out var six)
            && six.AddressFamily == AddressFamily.InterNetworkV6,
        DnsRecordKind.Cname => IsDnsName(value),
        _ => Encoding.UTF8.GetByteCount(value) is > 0 and <= LongestTxt && !value.Any(char.IsControl),
    };

    static bool IsLbName(string name) => name.Split('/') is [{ Length: > 0 } backend, { Length: > 0 } server] && name.Length <= LongestName
        && (backend + server).All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.' or ':');

    /// <summary>A type of records in words.</summary>
    public static string Words(DnsRecordKind type) => type switch
    {
        DnsRecordKind.A => "an A record",
        DnsRecordKind.Aaaa => "an AAAA record",
        DnsRecordKind.Cname => "a CNAME record",
        _ => "a TXT record",
    };
}
